/** The streams inside everything that Node and the web put around streams. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { expect, test } from 'vitest';

import {
  createDecryptStream,
  createEncryptStream,
  DecryptionStream,
  decrypt,
  EncryptionStream,
  encrypt,
} from '../../../src/index.ts';
import { cutInto, plainOf } from '../plain.ts';
import { keeper } from './consumers.ts';
import { keys } from './transforms.ts';

const plain = plainOf(300_000);
const chunks = (): Readable => Readable.from(cutInto(plain, [7_000]), { objectMode: false });
const same = (a: Uint8Array, b: Uint8Array = plain): void => expect(Buffer.compare(a, b)).toBe(0);
type WebDuplex = Parameters<typeof Duplex.fromWeb>[0];

test('pipeline through compression, encryption and back', async () => {
  const { writable, taken } = keeper(0);
  await pipeline(
    chunks(),
    createGzip(),
    createEncryptStream({ keys }),
    createDecryptStream({ keys }),
    createGunzip(),
    writable,
  );
  same(taken());
});

test('pipeline from an async generator into an async function', async () => {
  const parts: Buffer[] = [];
  await pipeline(
    async function* () {
      for (const chunk of cutInto(plain, [50_000])) yield chunk;
    },
    createEncryptStream({ keys }),
    createDecryptStream({ keys }),
    async (source: AsyncIterable<Buffer>) => {
      for await (const part of source) parts.push(part);
    },
  );
  same(Buffer.concat(parts));
});

test('compose makes one stream of two', async () => {
  const both = chunks()
    .compose<Duplex>(createEncryptStream({ keys }))
    .compose<Duplex>(createDecryptStream({ keys }));
  same(await buffer(both));
});

test('Duplex.from makes one stream of two', async () => {
  const encrypting = createEncryptStream({ keys });
  const decrypting = createDecryptStream({ keys });
  encrypting.pipe(decrypting);
  const both = Duplex.from({ writable: encrypting, readable: decrypting });
  same(await buffer(chunks().pipe(both)));
});

test('helpers of Readable: toArray, map, take', async () => {
  const parts = (await chunks().pipe(createEncryptStream({ keys })).toArray()) as Buffer[];
  same(await decrypt(Buffer.concat(parts), { keys }));
  const decrypting = createDecryptStream({ keys });
  decrypting.end(Buffer.concat(parts));
  const [first] = (await decrypting
    .map((chunk: Buffer) => chunk.length)
    .take(1)
    .toArray()) as number[];
  expect(first).toBeGreaterThan(0);
  if (!decrypting.closed) await once(decrypting, 'close');
});

test('Readable.toWeb, pipeThrough, Readable.fromWeb', async () => {
  const web = Readable.toWeb(chunks()) as ReadableStream<Uint8Array<ArrayBuffer>>;
  const sealed = web.pipeThrough(new EncryptionStream({ keys }));
  const opened = sealed.pipeThrough(
    new DecryptionStream({ keys }) as ReadableWritablePair<Uint8Array, Uint8Array>,
  );
  same(await buffer(Readable.fromWeb(opened as Parameters<typeof Readable.fromWeb>[0])));
});

test('Duplex.toWeb of the Node streams', async () => {
  const web = Readable.toWeb(chunks()) as ReadableStream<Uint8Array>;
  const encrypting = Duplex.toWeb(createEncryptStream({ keys })) as ReadableWritablePair<
    Uint8Array,
    Uint8Array
  >;
  const decrypting = Duplex.toWeb(createDecryptStream({ keys })) as ReadableWritablePair<
    Uint8Array,
    Uint8Array
  >;
  same(
    Buffer.from(
      await new Response(
        web.pipeThrough(encrypting).pipeThrough(decrypting) as ReadableStream<Uint8Array<ArrayBuffer>>,
      ).arrayBuffer(),
    ),
  );
});

test('Duplex.fromWeb of the Web streams', async () => {
  const encrypting = Duplex.fromWeb(new EncryptionStream({ keys }) as unknown as WebDuplex);
  const decrypting = Duplex.fromWeb(new DecryptionStream({ keys }) as unknown as WebDuplex);
  const { writable, taken } = keeper(1);
  await pipeline(chunks(), encrypting, decrypting, writable);
  same(taken());
});

test('bodies of Response and streams of Blob', async () => {
  const sealed = new Blob([Uint8Array.from(plain)]).stream().pipeThrough(new EncryptionStream({ keys }));
  const blob = await new Response(sealed as ReadableStream<Uint8Array<ArrayBuffer>>).blob();
  const opened = blob.stream().pipeThrough(new DecryptionStream({ keys }));
  same(Buffer.from(await new Response(opened as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer()));
});

test('a damaged body is a failed read of the response, not a short one', async () => {
  const sealed = await encrypt(plain, { keys });
  sealed[sealed.length - 100] = (sealed[sealed.length - 100] as number) ^ 1;
  const opened = new Blob([sealed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecryptionStream({ keys }));
  const response = new Response(opened as ReadableStream<Uint8Array<ArrayBuffer>>);
  await expect(response.arrayBuffer()).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TAMPERED' });
});

test('fetch sends an encrypting body and reads a decrypting one; the server sees sealed data alone', async () => {
  let received = Buffer.alloc(0);
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      received = body;
      response.end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const body = new Blob([Uint8Array.from(plain)]).stream().pipeThrough(new EncryptionStream({ keys }));
    const { port } = server.address() as AddressInfo;
    const init = { method: 'PUT', body, duplex: 'half' };
    const response = await fetch(`http://127.0.0.1:${port}/`, init as unknown as RequestInit);
    const opened = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(
      new DecryptionStream({ keys }),
    );
    same(Buffer.from(await new Response(opened as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer()));
    same(await decrypt(received, { keys }));
    expect(received.includes(plain.subarray(0, 32))).toBe(false);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a server whose client goes away: the decrypting stream is destroyed, and the pipeline fails', async () => {
  const sealed = await encrypt(plainOf(8 * 1_048_576), { keys });
  let outcome: Promise<unknown> = Promise.resolve();
  let decrypting = createDecryptStream({ keys });
  const server = createServer((_request, response) => {
    decrypting = createDecryptStream({ keys });
    outcome = pipeline(Readable.from(cutInto(sealed, [65_536])), decrypting, response).catch(
      (error: unknown) => error,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const controller = new AbortController();
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: controller.signal });
    await response.body?.getReader().read();
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await outcome).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    expect(decrypting.destroyed).toBe(true);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('finished() resolves at the end of either side', async () => {
  const stream = createEncryptStream({ keys });
  const through = new PassThrough();
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ends = Promise.all([finished(stream), finished(through), finished(sink)]);
  stream.pipe(through).pipe(sink);
  stream.end('x');
  await ends;
  expect([stream.readableEnded, stream.writableFinished, sink.writableFinished]).toEqual([true, true, true]);
});
