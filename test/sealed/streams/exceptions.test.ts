/** What a listener or a callback throws is never lost: it surfaces as from any other stream of Node. */

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const library = new URL('../../../dist/', import.meta.url);

/** Runs a program with an encrypting stream `stream` and gives what it printed and how it ended. */
async function run(program: string): Promise<{ out: string; err: string; code: number | null }> {
  const source = `
    import { createEncryptStream } from '${library.href}index.js';
    import { testKeys } from '${library.href}testing.js';
    const stream = createEncryptStream({ keys: testKeys() });
    process.on('uncaughtException', (error, origin) => console.log(origin + ': ' + error.message));
    ${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: fileURLToPath(library),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { out, err, code };
}

test.each([
  [
    'the callback of a write',
    `stream.resume(); stream.write('a', () => { stream.end(); throw new Error('mine'); }); stream.on('end', () => console.log('ended'));`,
    'uncaughtException: mine\nended\n',
  ],
  [
    'a drain listener',
    `stream.once('drain', () => { stream.end(); throw new Error('mine'); }); stream.resume(); stream.write(Buffer.alloc(500_000)); stream.on('end', () => console.log('ended'));`,
    'uncaughtException: mine\nended\n',
  ],
  [
    'a readable listener',
    `let first = true; stream.on('readable', () => { stream.read(); if (first) { first = false; throw new Error('mine'); } }); stream.end(Buffer.alloc(500_000));`,
    'uncaughtException: mine\n',
  ],
  [
    'an end listener',
    `stream.on('end', () => { throw new Error('mine'); }); stream.resume(); stream.end('a'); stream.on('close', () => console.log('closed'));`,
    'uncaughtException: mine\nclosed\n',
  ],
  [
    'a data listener, without an error listener',
    `stream.on('data', () => { throw new Error('mine'); }); stream.end('a'); stream.on('end', () => console.log('ended'));`,
    'uncaughtException: mine\n',
  ],
  [
    'a data listener that has destroyed the stream',
    `stream.on('data', () => { stream.destroy(); throw new Error('mine'); }); stream.end('a'); stream.on('close', () => console.log('closed'));`,
    'closed\nuncaughtException: mine\n',
  ],
])('%s throws', async (_name, program, expected) => {
  const { out, err, code } = await run(program);
  expect(err).toBe('');
  expect(out.split('\n').sort()).toEqual(expected.split('\n').sort());
  expect(code).toBe(0);
});

test('rejections that nobody waits for do not come of streams that are dropped', async () => {
  const { out, err, code } = await run(`
    import { createDecryptStream, DecryptionStream, EncryptionStream } from '${library.href}index.js';
    import { setTimeout as sleep } from 'node:timers/promises';
    process.on('unhandledRejection', (error) => console.log('unhandled: ' + error.message));
    const keys = testKeys();
    const real = testKeys();
    const slow = { type: real.type, describe: () => real.describe(),
      async wrap(...args) { await sleep(20); return real.wrap(...args); },
      async unwrap(...args) { await sleep(20); throw new Error('no'); } };
    for (const make of [() => new EncryptionStream({ keys: slow }), () => new DecryptionStream({ keys: slow })]) {
      const cancelled = make();
      const reader = cancelled.readable.getReader();
      reader.read().catch(() => {});
      await sleep(5);
      reader.cancel().catch(() => {});
      const aborted = make();
      const writer = aborted.writable.getWriter();
      writer.closed.catch(() => {});
      writer.write(new Uint8Array(10)).catch(() => {});
      aborted.readable.getReader().read().catch(() => {});
      await sleep(5);
      writer.abort(new Error('enough')).catch(() => {});
    }
    for (const dropped of [createDecryptStream({ keys: slow }), stream]) {
      dropped.on('error', () => {});
      dropped.write('x');
      dropped.destroy();
    }
    await sleep(60);
    console.log('still alive');
  `);
  expect(err).toBe('');
  expect(out).toBe('still alive\n');
  expect(code).toBe(0);
}, 10_000);
