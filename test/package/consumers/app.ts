/** What a user writes against the types of volseal. Compiled, not run. */

import { createReadStream } from 'node:fs';
import type { Readable, Transform, Writable } from 'node:stream';
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
  inspect,
  openEncrypted,
  VolsealError,
} from 'volseal';
import {
  FloeDecryptor,
  FloeEncryptor,
  floeDecrypt,
  floeEncrypt,
  plainBytes,
  sealedBytes,
} from 'volseal/floe';
import { flySecrets, type KeyProvider } from 'volseal/kms';
import { testKeys } from 'volseal/testing';

const keys: KeyProvider = flySecrets({ env: { VOLSEAL_SECRET_1: 'x' } });
const context = { app: 'photos' };

export async function memory(): Promise<Uint8Array> {
  const sealed: Uint8Array = await encrypt(new Uint8Array(3), {
    keys,
    context,
    suite: 'xchacha20-poly1305',
    segmentBytes: 4096,
  });
  return decrypt(sealed, { keys: [keys, testKeys()], context });
}

export function streams(): Transform[] {
  return [createEncryptStream({ keys }), createDecryptStream({ keys, signal: AbortSignal.timeout(1000) })];
}

export function paths(): [Writable, Readable] {
  return [
    createEncryptWriteStream('a.vsl', { keys, mode: 0o600 }),
    createDecryptReadStream(new URL('file:///a.vsl'), { keys, start: 1, end: 2 }),
  ];
}

export async function web(response: Response): Promise<Response> {
  if (response.body === null) throw new Error('no body');
  const stored = response.body.pipeThrough(new EncryptionStream({ keys }));
  return new Response(stored.pipeThrough(new DecryptionStream({ keys })));
}

export async function files(): Promise<number> {
  const sealed = await encryptFile('a', 'a.vsl', {
    keys,
    overwrite: false,
    onProgress: ({ doneBytes }) => void doneBytes,
  });
  const opened = await decryptFile(createReadStream('a.vsl'), 'a', { keys });
  return sealed.sealedBytes - opened.plainBytes;
}

export async function ranges(): Promise<number> {
  await using file = await openEncrypted('a.vsl', { keys });
  const { size } = await file.stat();
  const { bytesRead } = await file.read(new Uint8Array(10), 0, 10, size - 10);
  return bytesRead;
}

export async function errors(): Promise<string | undefined> {
  try {
    await inspect('a.vsl');
  } catch (error) {
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_SEALED') return error.hint;
    // @ts-expect-error a code that does not exist
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NO_SUCH_CODE') return error.hint;
  }
  return undefined;
}

export function floe(key: Uint8Array, message: Uint8Array): number {
  const encryptor: FloeEncryptor = FloeEncryptor.start(key, { segmentBytes: 4096 });
  const decryptor: FloeDecryptor = FloeDecryptor.start(key, encryptor.header, {});
  const opened = decryptor.openSegment(encryptor.sealSegment(message, 0, true), 0, true);
  return floeDecrypt(key, floeEncrypt(key, opened)).length + plainBytes(sealedBytes(10));
}

// Each of these is refused, which shows that the types are not `any`.
export const refused: unknown[] = [
  // @ts-expect-error no keys
  () => encrypt(new Uint8Array(1), {}),
  // @ts-expect-error text is not bytes
  () => encrypt('text', { keys }),
  // @ts-expect-error a suite that does not exist
  () => createEncryptStream({ keys, suite: 'aes-128-ecb' }),
  // @ts-expect-error an option that does not exist
  () => encryptFile('a', 'b', { keys, overwrit: true }),
  // @ts-expect-error a context of numbers
  () => decrypt(new Uint8Array(1), { keys, context: { tenant: 7 } }),
  // @ts-expect-error half a key provider
  () => openEncrypted('a', { keys: { type: 'mine' } }),
];
