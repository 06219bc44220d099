/**
 * Every call on an open file fails once, at every place where it is made: the caller hears of it in our words, the old
 * destination stays or the new one is whole, nothing is left behind and nothing stays open. And calls that do only a part
 * of what they are asked to do change nothing. (Closing is not among them: what it could report, syncing has reported.)
 */

import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';

import {
  createDecryptReadStream,
  createEncryptWriteStream,
  decrypt,
  decryptFile,
  encrypt,
  encryptFile,
  openEncrypted,
} from '../../src/index.ts';
import { plainOf } from '../sealed/plain.ts';
import { openDescriptors, scratch } from '../sealed/scratch.ts';
import { keys } from '../sealed/streams/transforms.ts';

const { at, fresh, leftovers } = scratch();

writeFileSync(at('probe'), '');
const probe = await open(at('probe'), 'r');
const prototype = Object.getPrototypeOf(probe) as FileHandle;
await probe.close();

const methods = ['read', 'writev', 'sync', 'stat', 'chmod', 'chown'] as const;
type Method = (typeof methods)[number];

afterEach(() => {
  vi.restoreAllMocks();
});

/** An error as the system gives it. */
function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made up, fault`), { code, syscall: 'fault', errno: -5 });
}

/** Lets the `nth` call of a method fail, counted from 1; gives how many calls there were. */
function failAt(method: Method, nth: number, code: string): { calls(): number } {
  let calls = 0;
  const real = prototype[method] as (this: FileHandle, ...parameters: unknown[]) => Promise<unknown>;
  vi.spyOn(prototype, method).mockImplementation(async function (this: FileHandle, ...parameters: unknown[]) {
    calls++;
    if (calls === nth) throw systemError(code);
    return real.apply(this, parameters);
  } as never);
  return { calls: () => calls };
}

const plain = plainOf(2_300_000);
const old = plainOf(100, 'old');
const source = at('plain');
const sealedSource = at('sealed');
writeFileSync(source, plain);
writeFileSync(sealedSource, await encrypt(plain, { keys }));

interface Operation {
  readonly name: string;
  run(destination: string): Promise<unknown>;
  /** Whether a destination holds the whole new content. */
  isNew(destination: string): Promise<boolean>;
}

const isSealed = async (destination: string): Promise<boolean> =>
  (await decrypt(readFileSync(destination), { keys })).length === plain.length;
const isPlain = async (destination: string): Promise<boolean> => readFileSync(destination).equals(plain);

const operations: readonly Operation[] = [
  { name: 'encryptFile', run: (destination) => encryptFile(source, destination, { keys }), isNew: isSealed },
  {
    name: 'encryptFile without overwriting',
    run: (destination) => encryptFile(source, destination, { keys, overwrite: false }),
    isNew: isSealed,
  },
  {
    name: 'decryptFile',
    run: (destination) => decryptFile(sealedSource, destination, { keys }),
    isNew: isPlain,
  },
  {
    name: 'createEncryptWriteStream',
    run: async (destination) => {
      const stream = createEncryptWriteStream(destination, { keys });
      stream.end(plain);
      await finished(stream);
    },
    isNew: isSealed,
  },
];

/** Less would mean that the faults miss their mark. */
function expectedPlaces(name: string, method: Method): number {
  if (method === 'chown') return process.getuid?.() === 0 && !name.endsWith('overwriting') ? 1 : 0;
  if (method === 'read') return name === 'createEncryptWriteStream' ? 0 : 4;
  return method === 'writev' ? 3 : method === 'sync' ? 2 : 1;
}

describe.each(operations)('$name', ({ name, run, isNew }) => {
  /** Owned by somebody else where that is possible, so that the owner has to be kept. */
  const existingFile = (): string => {
    const destination = fresh();
    writeFileSync(destination, old);
    if (process.getuid?.() === 0) chownSync(destination, 1_234, 1_234);
    return destination;
  };
  const variants = name.endsWith('overwriting') ? [fresh] : [existingFile, fresh];

  test.each(methods)('%s fails once, at every place', async (method) => {
    const before = openDescriptors();
    let places = 0;
    for (const makeDestination of variants) {
      const { calls } = failAt(method, -1, 'EIO');
      await run(makeDestination());
      const count = calls();
      vi.restoreAllMocks();
      for (let nth = 1; nth <= count; nth++) {
        places++;
        const destination = makeDestination();
        const existing = existsSync(destination);
        failAt(method, nth, method === 'writev' ? 'ENOSPC' : 'EIO');
        const outcome = await run(destination).then(
          () => 'done' as const,
          (error: unknown) => error,
        );
        vi.restoreAllMocks();
        const where = `${method} ${nth} of ${count}, ${existing ? 'existing' : 'new'} destination`;
        const isOld = existing ? readFileSync(destination).equals(old) : !existsSync(destination);
        if (outcome === 'done') {
          // Only root may give files away: when it does not work, the file stays ours.
          expect(method, where).toBe('chown');
          expect(isOld, where).toBe(false);
        } else {
          const code = method === 'writev' ? 'ERR_VOLSEAL_NO_SPACE' : 'ERR_VOLSEAL_IO';
          expect(outcome, where).toMatchObject({ name: 'VolsealError', code });
        }
        expect(isOld || (await isNew(destination)), where).toBe(true);
        expect(leftovers(), where).toEqual([]);
      }
    }
    expect(places).toBeGreaterThanOrEqual(expectedPlaces(name, method));
    expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
  });

  test('reads and writes that do only a part of what they are asked', async () => {
    const read = prototype.read as (this: FileHandle, ...parameters: unknown[]) => Promise<unknown>;
    const writev = prototype.writev as (
      this: FileHandle,
      ...parameters: unknown[]
    ) => Promise<{ bytesWritten: number }>;
    let parts = 0;
    vi.spyOn(prototype, 'read').mockImplementation(function (this: FileHandle, ...parameters: unknown[]) {
      const [target, offset, length, position] = parameters as [Uint8Array, number, number, number];
      parts++;
      return read.call(this, target, offset, Math.min(length, 1 + ((parts * 7_919) % 300_000)), position);
    } as never);
    vi.spyOn(prototype, 'writev').mockImplementation(function (this: FileHandle, ...parameters: unknown[]) {
      const [buffers, position] = parameters as [Uint8Array[], number | undefined];
      parts++;
      const some = buffers.slice(0, 1 + (parts % 5));
      const last = some.at(-1) as Uint8Array;
      some[some.length - 1] = last.subarray(0, Math.ceil(last.length / 2));
      return writev.call(this, some, position);
    } as never);
    const destination = fresh();
    await run(destination);
    vi.restoreAllMocks();
    expect(parts).toBeGreaterThan(20);
    expect(await isNew(destination)).toBe(true);
  });
});

describe('reading', () => {
  const readers: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['openEncrypted', async () => (await openEncrypted(sealedSource, { keys })).close()],
    ['createDecryptReadStream', () => buffer(createDecryptReadStream(sealedSource, { keys }))],
  ];
  test.each(readers)('%s: every call fails once', async (_name, run) => {
    const before = openDescriptors();
    for (const method of ['read', 'stat'] as const) {
      const counter = failAt(method, -1, 'EIO');
      await run();
      const calls = counter.calls();
      vi.restoreAllMocks();
      expect(calls, method).toBeGreaterThan(0);
      for (let nth = 1; nth <= calls; nth++) {
        failAt(method, nth, 'EIO');
        const outcome = await run().then(
          () => 'done' as const,
          (error: unknown) => error,
        );
        vi.restoreAllMocks();
        expect(outcome).toMatchObject({ name: 'VolsealError', code: 'ERR_VOLSEAL_IO', path: sealedSource });
      }
    }
    expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
  });
});
