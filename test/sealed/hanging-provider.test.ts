/** A key provider that never answers, and does not look at its signal: the signal still ends every operation. */

import { getEventListeners, once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';

import {
  createDecryptReadStream,
  createDecryptStream,
  createEncryptStream,
  createEncryptWriteStream,
  DecryptionStream,
  decrypt,
  decryptFile,
  EncryptionStream,
  encrypt,
  encryptFile,
  type KeyProvider,
  openEncrypted,
} from '../../src/index.ts';
import { plainOf } from './plain.ts';
import { openDescriptors, scratch } from './scratch.ts';
import { keys as answering } from './streams/transforms.ts';

const { at, leftovers } = scratch();
const sealed = await encrypt(plainOf(10), { keys: answering });
writeFileSync(at('sealed'), sealed);

const never = <T>(): Promise<T> => new Promise<T>(() => {});
const providers: Readonly<Record<string, KeyProvider>> = {
  'wrapping and unwrapping': {
    type: answering.type,
    wrap: never,
    unwrap: never,
    describe: () => answering.describe(),
  },
  'describing itself': {
    type: answering.type,
    wrap: never,
    unwrap: (wrapped, info) => answering.unwrap(wrapped, info),
    describe: never,
  },
};

interface Options {
  readonly keys: KeyProvider;
  readonly signal: AbortSignal;
}

async function failureOf(stream: Readable | Writable): Promise<never> {
  const [error] = (await once(stream, 'error')) as [Error];
  if (!stream.closed) await once(stream, 'close');
  throw error;
}

const operations: Readonly<Record<string, (options: Options) => Promise<unknown>>> = {
  encrypt: (options) => encrypt(plainOf(1), options),
  decrypt: (options) => decrypt(sealed, options),
  encryptFile: (options) => encryptFile(at('sealed'), at('out'), options),
  decryptFile: (options) => decryptFile(at('sealed'), at('out'), options),
  openEncrypted: (options) => openEncrypted(at('sealed'), options),
  createEncryptStream: (options) => failureOf(createEncryptStream(options).end('x')),
  createDecryptStream: (options) => failureOf(createDecryptStream(options).end(sealed)),
  createEncryptWriteStream: (options) => failureOf(createEncryptWriteStream(at('out'), options).end('x')),
  createDecryptReadStream: (options) => failureOf(createDecryptReadStream(at('sealed'), options).resume()),
  EncryptionStream: (options) => new EncryptionStream(options).readable.getReader().read(),
  DecryptionStream(options) {
    const { readable, writable } = new DecryptionStream(options);
    const writer = writable.getWriter();
    writer.write(Uint8Array.from(sealed)).catch(() => {});
    writer.close().catch(() => {});
    return readable.getReader().read();
  },
};

describe.each(Object.keys(providers))('%s takes for ever', (which) => {
  test.each(Object.keys(operations))('%s', async (name) => {
    const before = openDescriptors();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const keys = providers[which] as KeyProvider;
    await expect(operations[name]?.({ keys, signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_ABORTED',
      name: 'AbortError',
    });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    expect(existsSync(at('out'))).toBe(false);
    expect(leftovers()).toEqual([]);
    expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
  });
});
