/** What all cases with files share: where they lie, and that they are right. */

import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { assertEqualHash, hashOfFile, NotEqualError, writePlainFile } from '../lib/data.mjs';

/** The plaintext file of a size, made once for the run, and its hash. */
export async function plainFile(directory, bytes) {
  const path = join(directory, `plain-${bytes}`);
  const hashPath = `${path}.sha256`;
  if (!existsSync(hashPath)) writeFileSync(hashPath, await writePlainFile(path, bytes));
  return { path, hash: readFileSync(hashPath, 'utf8') };
}

export const sealedPath = (directory, contenderId) => join(directory, `sealed-${contenderId}`);
export const openedPath = (directory) => join(directory, 'opened');

export function remove(path) {
  rmSync(path, { force: true, recursive: true });
}

/** Seals and opens one file of the size that will be timed, and compares hashes. */
export async function checkFiles(bytes, contender, { directory, contenderId }) {
  const files = await contender.files({}, { directory });
  const { path, hash } = await plainFile(directory, bytes);
  const sealed = sealedPath(directory, contenderId);
  const opened = openedPath(directory);
  try {
    await files.encrypt(path, sealed);
    if (!contender.plain && (await hashOfFile(sealed)) === hash)
      throw new NotEqualError('the sealed file is plaintext');
    await files.decrypt(sealed, opened);
    assertEqualHash('file', await hashOfFile(opened), hash);
  } finally {
    remove(sealed);
    remove(opened);
  }
}

/**
 * Source and destination of one timed operation. Encryption leaves the sealed file for the decryption that follows it;
 * that one clears both away.
 */
export async function prepareOperation(bytes, contender, operation, { directory, contenderId }) {
  const files = await contender.files({}, { directory });
  const plain = (await plainFile(directory, bytes)).path;
  const sealed = sealedPath(directory, contenderId);
  const opened = openedPath(directory);
  if (operation === 'encrypt') {
    remove(sealed);
    return {
      call: () => files.encrypt(plain, sealed),
      before: () => remove(sealed),
      finish: () => checkSize(statSync(sealed).size, bytes, !contender.plain),
    };
  }
  // A decryption that is measured alone, or after a failure, still has something to open.
  if (!existsSync(sealed)) await files.encrypt(plain, sealed);
  remove(opened);
  return {
    call: () => files.decrypt(sealed, opened),
    before: () => remove(opened),
    finish() {
      checkSize(statSync(opened).size, bytes, false);
      remove(opened);
      remove(sealed);
    },
  };
}

function checkSize(actual, bytes, larger) {
  if (larger ? actual <= bytes : actual !== bytes)
    throw new NotEqualError(`the file written has ${actual} bytes`);
}
