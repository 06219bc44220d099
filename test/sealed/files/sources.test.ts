/** Sources that change while they are read, that fail, and that have no name. */

import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { decrypt, decryptFile, encrypt, encryptFile } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { openDescriptors, scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { at, fresh, leftovers } = scratch();
const library = new URL('../../../dist/', import.meta.url).href;

test.each([1, 2, 3])(
  'a source that grows while it is read (batch %i): what is sealed is a beginning of it, and the figures fit',
  async (when) => {
    const path = fresh();
    const destination = fresh();
    writeFileSync(path, plainOf(5_000_000));
    let batch = 0;
    const result = await encryptFile(path, destination, {
      keys,
      onProgress() {
        if (++batch === when) appendFileSync(path, plainOf(8_000_000).subarray(5_000_000));
      },
    });
    const plain = await decrypt(readFileSync(destination), { keys });
    expect(plain.length).toBeGreaterThanOrEqual(5_000_000);
    expect(Buffer.compare(plain, plainOf(plain.length))).toBe(0);
    expect(result).toEqual({ plainBytes: plain.length, sealedBytes: readFileSync(destination).length });
  },
);

test.each([1, 2, 3])(
  'a source that shrinks while it is read (batch %i): no byte is sealed that was not there',
  async (when) => {
    const path = fresh();
    const destination = fresh();
    writeFileSync(path, plainOf(5_000_000));
    let batch = 0;
    const result = await encryptFile(path, destination, {
      keys,
      onProgress() {
        if (++batch === when) truncateSync(path, 1_500_000);
      },
    });
    const plain = await decrypt(readFileSync(destination), { keys });
    expect(Buffer.compare(plain, plainOf(plain.length))).toBe(0);
    expect(plain.length).toBeGreaterThanOrEqual(1_500_000);
    expect(result).toEqual({ plainBytes: plain.length, sealedBytes: readFileSync(destination).length });
  },
);

test.each([
  ['shrinks', (path: string) => truncateSync(path, 1_500_000), 'ERR_VOLSEAL_TRUNCATED'],
  ['grows', (path: string) => appendFileSync(path, Buffer.alloc(2_000_000)), undefined],
])('a sealed source that %s while it is decrypted is never taken for whole', async (_name, change, code) => {
  const path = fresh();
  const destination = fresh();
  writeFileSync(destination, 'older');
  writeFileSync(path, await encrypt(plainOf(5_000_000), { keys }));
  let batch = 0;
  const running = decryptFile(path, destination, {
    keys,
    onProgress() {
      if (++batch === 1) change(path);
    },
  });
  await expect(running).rejects.toMatchObject({
    code: code ?? expect.stringMatching(/^ERR_VOLSEAL_(TRAILING_DATA|TAMPERED)$/),
    path,
  });
  expect(readFileSync(destination, 'utf8')).toBe('older');
  expect(leftovers()).toEqual([]);
});

test('files of the kernel, which say that they are empty', async () => {
  const destination = fresh();
  const { plainBytes } = await encryptFile('/proc/version', destination, { keys });
  const plain = await decrypt(readFileSync(destination), { keys });
  expect(plainBytes).toBe(plain.length);
  expect(Buffer.compare(plain, readFileSync('/proc/version'))).toBe(0);
});

test('a source that fails: its error comes through, nothing is left, nothing stays open', async () => {
  const before = openDescriptors();
  for (const failAt of [0, 1, 2_500_000]) {
    let given = 0;
    const source = new Readable({
      read() {
        const chunk = plainOf(100_000);
        given += chunk.length;
        if (given > failAt) this.destroy(new Error('disk of the other side'));
        else this.push(chunk);
      },
    });
    const path = fresh();
    await expect(encryptFile(source, path, { keys })).rejects.toThrow('disk of the other side');
    expect(existsSync(path)).toBe(false);
    const generator = (async function* () {
      yield plainOf(failAt);
      throw new Error('generator broke');
    })();
    await expect(encryptFile(generator, path, { keys })).rejects.toThrow('generator broke');
    expect(existsSync(path)).toBe(false);
  }
  expect(leftovers()).toEqual([]);
  expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
});

test('a failing transfer lets a generator clean up', async () => {
  let cleaned = false;
  const generator = (async function* () {
    try {
      for (;;) yield plainOf(100_000);
    } finally {
      cleaned = true;
    }
  })();
  const failing = encryptFile(generator, fresh(), {
    keys,
    onProgress() {
      throw new Error('enough');
    },
  });
  await expect(failing).rejects.toThrow('enough');
  expect(cleaned).toBe(true);
});

/** Runs a program with the library between pipes of the shell; Node's own pipes are sockets, which have no name. */
async function child(
  program: string,
  command: string,
): Promise<{ out: Buffer; err: string; code: number | null }> {
  const source = `
    import { decryptFile, encryptFile } from '${library}index.js';
    import { testKeys } from '${library}testing.js';
    const keys = testKeys();
    ${program}`;
  const running = spawn('bash', ['-o', 'pipefail', '-c', command], {
    env: { ...process.env, NODE: process.execPath, PROGRAM: source },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => running.once('close', resolve));
  const [out, err, code] = await Promise.all([buffer(running.stdout), text(running.stderr), ended]);
  return { out, err, code };
}

const run = '"$NODE" --input-type=module --eval "$PROGRAM"';

describe.each([
  ['the streams of the process', `await encryptFile(process.stdin, process.stdout, { keys });`],
  ['/dev/stdin and /dev/stdout', `await encryptFile('/dev/stdin', '/dev/stdout', { keys });`],
])('%s', (_name, program) => {
  test.each([
    ['pipes', (path: string) => `cat '${path}' | ${run} | cat`],
    ['files', (path: string) => `${run} < '${path}' > '${path}.out'; cat '${path}.out'`],
  ])('as %s', async (_kind, command) => {
    const plain = plainOf(2_000_000);
    const path = fresh();
    writeFileSync(path, plain);
    const { out, err, code } = await child(program, command(path));
    expect({ err, code }).toEqual({ err: '', code: 0 });
    expect(Buffer.compare(await decrypt(out, { keys }), plain)).toBe(0);
  });
});

test('several transfers to stdout one after the other', async () => {
  writeFileSync(at('one'), plainOf(100_000));
  const { out, err, code } = await child(
    `for (let i = 0; i < 12; i++) await encryptFile('${at('one')}', process.stdout, { keys });`,
    run,
  );
  expect({ err, code }).toEqual({ err: '', code: 0 });
  expect(out.length % 12).toBe(0);
  const last = out.subarray((out.length / 12) * 11);
  expect(Buffer.compare(await decrypt(last, { keys }), plainOf(100_000))).toBe(0);
});
