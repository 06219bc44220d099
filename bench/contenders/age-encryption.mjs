/** age-encryption (typage): the age format in TypeScript. https://www.npmjs.com/package/age-encryption */

import { createReadStream, createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';

import { UnavailableError } from './keys.mjs';

async function load() {
  try {
    return await import('age-encryption');
  } catch (error) {
    throw new UnavailableError(`cannot load: ${error.message.split('\n')[0]}`);
  }
}

/** An X25519 identity for the whole run, in the form that the age program reads too. */
export async function identityFile(directory) {
  const path = join(directory, 'age-identity.txt');
  if (!existsSync(path)) {
    const { generateX25519Identity } = await load();
    writeFileSync(path, `${await generateX25519Identity()}\n`, { mode: 0o600 });
  }
  return path;
}

async function encrypterAndDecrypter(directory) {
  const { Encrypter, Decrypter, identityToRecipient } = await load();
  const identity = readFileSync(await identityFile(directory), 'utf8').trim();
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return { encrypter, decrypter };
}

export const ageEncryption = {
  title: 'age-encryption',
  package: 'age-encryption',

  async buffer(_params, { directory }) {
    const { encrypter, decrypter } = await encrypterAndDecrypter(directory);
    return { encrypt: (plain) => encrypter.encrypt(plain), decrypt: (sealed) => decrypter.decrypt(sealed) };
  },

  async streams(_params, { directory }) {
    const { encrypter, decrypter } = await encrypterAndDecrypter(directory);
    return {
      kind: 'web',
      encrypt: (source) => encrypter.encrypt(source),
      decrypt: (source) => decrypter.decrypt(source),
    };
  },

  async files(_params, { directory }) {
    const { encrypter, decrypter } = await encrypterAndDecrypter(directory);
    const through = (convert) => async (source, destination) => {
      const converted = await convert(Readable.toWeb(createReadStream(source)));
      await converted.pipeTo(Writable.toWeb(createWriteStream(destination)));
    };
    return {
      encrypt: through((stream) => encrypter.encrypt(stream)),
      decrypt: through((stream) => decrypter.decrypt(stream)),
    };
  },
};
