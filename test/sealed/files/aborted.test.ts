/** Aborted at every batch, in both directions: nothing is left behind, and an older file is as it was. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { getEventListeners } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';

import { decryptFile, encrypt, encryptFile } from '../../../src/index.ts';
import { cutInto, plainOf } from '../plain.ts';
import { openDescriptors, scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { at, fresh, leftovers } = scratch();
const plain = plainOf(5_500_000);
const aborted = { code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError' };

describe.each([
  ['encryptFile', encryptFile, async () => plain],
  ['decryptFile', decryptFile, () => encrypt(plain, { keys })],
] as const)('%s', (_name, run, inputFor) => {
  test('aborted before it starts: the source is not opened', async () => {
    const reason = new Error('shutting down');
    await expect(
      run(at('missing'), fresh(), { keys, signal: AbortSignal.abort(reason) }),
    ).rejects.toMatchObject({
      ...aborted,
      cause: reason,
    });
  });

  test.each([true, false])('aborted at every batch, an older file: %s', async (older) => {
    const source = fresh();
    writeFileSync(source, await inputFor());
    const before = openDescriptors();
    let batches = 0;
    await run(source, fresh(), { keys, onProgress: () => void batches++ });
    expect(batches).toBeGreaterThanOrEqual(5);
    for (let when = 1; when <= batches; when++) {
      const destination = fresh();
      if (older) writeFileSync(destination, 'older');
      const controller = new AbortController();
      let batch = 0;
      const running = run(source, destination, {
        keys,
        signal: controller.signal,
        onProgress() {
          if (++batch === when) controller.abort();
        },
      });
      await expect(running, `batch ${when}`).rejects.toMatchObject(aborted);
      expect(existsSync(destination)).toBe(older);
      if (older) expect(readFileSync(destination, 'utf8')).toBe('older');
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
    expect(leftovers()).toEqual([]);
    expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
  });

  test('aborted between streams: both are destroyed', async () => {
    const input = await inputFor();
    for (const when of [1, 3]) {
      const controller = new AbortController();
      const source = Readable.from(cutInto(input, [100_000]), { objectMode: false });
      const destination = new Writable({ write: (_chunk, _encoding, done) => setImmediate(done) });
      let batch = 0;
      const running = run(source, destination, {
        keys,
        signal: controller.signal,
        onProgress() {
          if (++batch === when) controller.abort();
        },
      });
      await expect(running).rejects.toMatchObject(aborted);
      expect(source.destroyed).toBe(true);
      expect(destination.destroyed).toBe(true);
      expect(destination.writableFinished).toBe(false);
    }
  });

  test('aborted when it is done: it stays done', async () => {
    const controller = new AbortController();
    const source = fresh();
    const destination = fresh();
    writeFileSync(source, await inputFor());
    await run(source, destination, { keys, signal: controller.signal });
    controller.abort();
    expect(existsSync(destination)).toBe(true);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('a time limit', async () => {
    const never = new Readable({ read() {} });
    await expect(run(never, fresh(), { keys, signal: AbortSignal.timeout(20) })).rejects.toMatchObject(
      aborted,
    );
    expect(leftovers()).toEqual([]);
  });
});
