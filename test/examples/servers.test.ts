/** The servers of examples/, each as a process of its own, over real HTTP and with real files. */

import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { decryptFile, inspect } from '../../src/index.ts';
import { type Answer, type Asked, ExampleServer } from './server.ts';

const maxUploadBytes = 4 * 1024 * 1024;
/** Plaintext bytes of a whole segment at the default size. */
const segment = 65_504;
const content = randomBytes(3 * 1024 * 1024 + 17);
const size = content.length;

/** In chunks, without an announced length. */
function inChunks(bytes: Buffer, chunkBytes = 50_000): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    })(),
  );
}

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each(['express', 'fastify', 'hono'])('%s', (name) => {
  let server: ExampleServer;
  let id: string;
  let etag: string;

  const upload = async (body: Buffer | Readable, tenant: Asked['tenant'] = 'acme'): Promise<string> => {
    const { status, headers, body: answer } = await server.ask('/files', { method: 'POST', body, tenant });
    const made = JSON.parse(answer.toString()) as { id: string };
    expect({ status, location: headers['location'] }).toEqual({ status: 201, location: `/files/${made.id}` });
    return made.id;
  };
  const get = (headers: Asked['headers'] = {}, which = id): Promise<Answer> =>
    server.ask(`/files/${which}`, { tenant: 'acme', headers });
  const sealedPath = (which: string): string => join(server.folder, `${which}.vsl`);

  beforeAll(async () => {
    server = await ExampleServer.start(name, maxUploadBytes);
    id = await upload(inChunks(content));
    etag = String((await server.ask(`/files/${id}`, { method: 'HEAD', tenant: 'acme' })).headers['etag']);
  });

  afterAll(() => server.remove());

  const expectWhole = (answer: Answer): void => {
    const { status, headers, body, complete } = answer;
    expect({ status, complete, hash: hash(body) }).toEqual({
      status: 200,
      complete: true,
      hash: hash(content),
    });
    expect(headers).toMatchObject({
      'content-length': String(size),
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      etag,
    });
    expect(headers).not.toHaveProperty('content-range');
  };

  const expectRange = (answer: Answer, start: number, end: number): void => {
    const { status, headers, body, complete } = answer;
    expect({ status, complete, length: headers['content-length'], range: headers['content-range'] }).toEqual({
      status: 206,
      complete: true,
      length: String(end - start + 1),
      range: `bytes ${start}-${end}/${size}`,
    });
    expect(hash(body)).toBe(hash(content.subarray(start, end + 1)));
  };

  it('seals what it stores, and binds it to tenant and id', async () => {
    const sealed = readFileSync(sealedPath(id));
    for (let at = 0; at + 16 <= size; at += segment) {
      expect(sealed.includes(content.subarray(at, at + 16))).toBe(false);
    }
    const { context, plainBytes, slots, fileId } = await inspect(sealedPath(id));
    expect({ context, plainBytes }).toEqual({ context: { tenant: 'acme', id }, plainBytes: size });
    expect(slots).toEqual([expect.objectContaining({ type: 'fly-secrets', label: 'v1' })]);
    expect(etag).toBe(`"${fileId}-${size}"`);
    const out = join(server.folder, 'out');
    await decryptFile(sealedPath(id), out, { keys: server.keys });
    expect(hash(readFileSync(out))).toBe(hash(content));
  });

  it('gives back all of it', async () => {
    expectWhole(await get());
  });

  it('takes bodies with a length, and empty ones', async () => {
    const small = await upload(Buffer.from('hello'), 'globex');
    const { status, body } = await server.ask(`/files/${small}`, { tenant: 'globex' });
    expect({ status, body: body.toString() }).toEqual({ status: 200, body: 'hello' });

    const empty = await upload(Buffer.alloc(0));
    const whole = await get({}, empty);
    expect(whole).toMatchObject({ status: 200, complete: true, headers: { 'content-length': '0' } });
    expect((await get({ range: 'bytes=0-' }, empty)).status).toBe(416);
    expect((await get({ range: 'bytes=-5' }, empty)).status).toBe(200);
  });

  it('answers HEAD with the headers of GET, whatever range is asked for', async () => {
    for (const headers of [{}, { range: 'bytes=5-9' }, { range: `bytes=${size}-` }]) {
      const answer = await server.ask(`/files/${id}`, { method: 'HEAD', tenant: 'acme', headers });
      expect(answer).toMatchObject({ status: 200, complete: true });
      expect(answer.body.length).toBe(0);
      expect(answer.headers).toMatchObject({
        'content-length': String(size),
        'accept-ranges': 'bytes',
        etag,
      });
    }
  });

  it.each([
    ['bytes=0-0', 0, 0],
    [`bytes=${segment - 1}-${segment}`, segment - 1, segment],
    [`bytes=${segment}-${3 * segment - 1}`, segment, 3 * segment - 1],
    ['bytes=1000000-', 1_000_000, size - 1],
    [`bytes=${size - 1}-`, size - 1, size - 1],
    ['bytes=-1', size - 1, size - 1],
    ['bytes=-100000', size - 100_000, size - 1],
    ['bytes=-99999999999', 0, size - 1],
    ['bytes=0-99999999999', 0, size - 1],
    ['BYTES=10-19', 10, 19],
  ])('answers %s with 206', async (range, start, end) => {
    expectRange(await get({ range }), start, end);
  });

  it('answers any range with its bytes', async () => {
    const ranges = fc
      .tuple(fc.nat(size - 1), fc.nat(300_000))
      .map(([start, more]) => [start, Math.min(size - 1, start + more)]);
    await fc.assert(
      fc.asyncProperty(ranges, async ([start = 0, end = 0]) => {
        expectRange(await get({ range: `bytes=${start}-${end}` }), start, end);
      }),
      { numRuns: 25 },
    );
  });

  it.each([`bytes=${size}-`, `bytes=${size}-${size + 10}`, 'bytes=99999999999999999999999-', 'bytes=-0'])(
    'answers %s with 416',
    async (range) => {
      const { status, headers, body } = await get({ range });
      expect({ status, range: headers['content-range'] }).toEqual({ status: 416, range: `bytes */${size}` });
      expect(body.length).toBe(0);
    },
  );

  it.each(['bytes=0-1,5-6', 'bytes=9-5', 'bytes=-', 'bytes=a-b', 'lines=0-1', 'bytes 0-1', ''])(
    'answers the range %j, which it need not understand, with everything',
    async (range) => {
      expectWhole(await get({ range }));
    },
  );

  it('takes If-Range: the range for this file, everything for another', async () => {
    const range = 'bytes=100-199';
    expectRange(await get({ range, 'if-range': etag }), 100, 199);
    for (const other of ['"another"', `W/${etag}`, new Date().toUTCString()]) {
      expectWhole(await get({ range, 'if-range': other }));
    }
  });

  it('takes If-None-Match: 304 for this file', async () => {
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { status, headers, body } = await get({ 'if-none-match': known, range: 'bytes=0-9' });
      expect({ status, etag: headers['etag'], bytes: body.length }).toEqual({ status: 304, etag, bytes: 0 });
    }
    expectWhole(await get({ 'if-none-match': '"other"' }));
  });

  it('gives a file with the same content another ETag', async () => {
    const twin = await upload(content);
    const { headers } = await server.ask(`/files/${twin}`, { method: 'HEAD', tenant: 'acme' });
    expect(headers['etag']).toMatch(new RegExp(`^"[0-9a-f]{32}-${size}"$`));
    expect(headers['etag']).not.toBe(etag);
  });

  it('refuses who is not signed in, and knows no files of other tenants', async () => {
    const before = server.files().length;
    expect((await server.ask(`/files/${id}`)).status).toBe(401);
    expect((await server.ask('/files', { method: 'POST', body: Buffer.from('x') })).status).toBe(401);
    for (const method of ['GET', 'HEAD']) {
      const { status, body } = await server.ask(`/files/${id}`, { method, tenant: 'globex' });
      expect(status).toBe(404);
      expect(body.length).toBeLessThan(100);
    }
    expect(server.files().length).toBe(before);
  });

  it.each([
    '00000000-0000-4000-8000-000000000000',
    '..%2F..%2F..%2Fetc%2Fpasswd',
    '%2e%2e',
    'out',
    '%00',
    'ID.vsl',
    'ID%2F..%2FID',
  ])('knows no file %s', async (text) => {
    const { status } = await server.ask(`/files/${text.replaceAll('ID', id)}`, { tenant: 'acme' });
    expect([400, 404]).toContain(status);
  });

  it('does not take one file for another', async () => {
    const [a, b] = [await upload(Buffer.from('a')), await upload(Buffer.from('b'))];
    copyFileSync(sealedPath(a), sealedPath(b));
    expect((await get({}, a)).body.toString()).toBe('a');
    expect((await get({}, b)).status).toBe(404);
  });

  it('breaks the connection where a file was changed, and gives no byte of it', async () => {
    const changed = await upload(content);
    const sealed = readFileSync(sealedPath(changed));
    const at = 4_096 + 20 * 65_536 + 1_000;
    sealed[at] = (sealed[at] as number) ^ 1;
    writeFileSync(sealedPath(changed), sealed);

    const broken = { complete: false, body: Buffer.alloc(0) };
    const { complete, body } = await get({}, changed).catch(() => broken);
    expect(complete).toBe(false);
    expect(body.length).toBeLessThanOrEqual(20 * segment);
    expect(hash(body)).toBe(hash(content.subarray(0, body.length)));

    // What was not changed is still there.
    expectRange(await get({ range: 'bytes=0-999' }, changed), 0, 999);
    const within = await get({ range: `bytes=${20 * segment}-${20 * segment + 9}` }, changed).catch(
      () => undefined,
    );
    // Where the framework has not sent the headers yet, it still can say so.
    const failed = within === undefined || !within.complete || within.status === 500;
    expect({
      failed,
      leaked: within?.body.includes(content.subarray(20 * segment, 20 * segment + 10)) ?? false,
    }).toEqual({
      failed: true,
      leaked: false,
    });
  });

  it('gives nothing of a file that was cut short, whatever the range', async () => {
    const cut = await upload(content);
    truncateSync(sealedPath(cut), 4_096 + 10 * 65_536);
    for (const headers of [{}, { range: 'bytes=0-9' }, { range: 'bytes=-9' }]) {
      const { status, body } = await get(headers, cut);
      expect({ status, said: body.toString() }).toEqual({
        status: 500,
        said: JSON.stringify({ error: 'ERR_VOLSEAL_TRUNCATED' }),
      });
    }
  });

  it('refuses uploads that are too large, and keeps nothing of them', async () => {
    const before = server.files();
    const tooLarge = Buffer.alloc(maxUploadBytes + 1);
    for (const body of [tooLarge, inChunks(tooLarge)]) {
      // A client that wants the connection closed may find it closed before it has sent everything.
      const headers = { connection: 'keep-alive' };
      const answer = await server.ask('/files', { method: 'POST', tenant: 'acme', headers, body });
      expect(answer).toMatchObject({ status: 413, complete: true });
    }
    await vi.waitFor(() => expect(server.files()).toEqual(before), { timeout: 10_000, interval: 5 });
    const largest = await upload(inChunks(Buffer.alloc(maxUploadBytes)));
    expect((await inspect(sealedPath(largest))).plainBytes).toBe(maxUploadBytes);
  });

  it.each([{ announced: true }, { announced: false }])(
    'keeps nothing of an upload that goes away (length announced: $announced)',
    async ({ announced }) => {
      const before = server.files();
      const headers = announced ? { 'content-length': String(size) } : {};
      const outgoing = server.request('/files', { method: 'POST', tenant: 'acme', headers });
      const failed = new Promise((resolve) => outgoing.once('error', resolve));
      outgoing.write(content.subarray(0, size / 2));
      await vi.waitFor(() => expect(server.files().length).toBe(before.length + 1), {
        timeout: 10_000,
        interval: 5,
      });
      outgoing.destroy();
      await failed;
      await vi.waitFor(() => expect(server.files()).toEqual(before), { timeout: 10_000, interval: 5 });
      expectWhole(await get());
    },
  );

  it('closes the file when a download goes away', async () => {
    const outgoing = server.request(`/files/${id}`, { tenant: 'acme' });
    outgoing.on('error', () => {}); // its own going away
    await new Promise<void>((resolve) => {
      outgoing.once('response', (incoming) => {
        incoming.on('error', () => {});
        incoming.once('data', () => {
          incoming.destroy();
          resolve();
        });
      });
      outgoing.end();
    });
    await vi.waitFor(() => expect(server.openFiles()).toEqual([]), { timeout: 10_000, interval: 5 });
    expectWhole(await get());
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('finishes a download before it stops by %s', async (signal) => {
    const another = await ExampleServer.start(name, maxUploadBytes);
    try {
      const made = await another.ask('/files', { method: 'POST', tenant: 'acme', body: content });
      const outgoing = another.request(String(made.headers['location']), { tenant: 'acme' });
      const received: Buffer[] = [];
      let stopped: Promise<number | null> | undefined;
      await new Promise<void>((resolve, reject) => {
        outgoing.once('error', reject);
        outgoing.once('response', (incoming) => {
          incoming.on('data', (chunk: Buffer) => {
            received.push(chunk);
            stopped ??= another.stop(signal);
          });
          incoming.once('error', reject);
          incoming.once('end', resolve);
        });
        outgoing.end();
      });
      expect(hash(Buffer.concat(received))).toBe(hash(content));
      expect(await stopped).toBe(0);
    } finally {
      await another.remove();
    }
  });
});
