/** The AWS Encryption SDK for JavaScript: raw AES keyring, committing suite without signatures. */

import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

import { keyBytes, UnavailableError } from './keys.mjs';

async function load(frameLength) {
  let esdk;
  try {
    esdk = await import('@aws-crypto/client-node');
  } catch (error) {
    throw new UnavailableError(`cannot load: ${error.message.split('\n')[0]}`);
  }
  const {
    AlgorithmSuiteIdentifier,
    buildClient,
    CommitmentPolicy,
    RawAesKeyringNode,
    RawAesWrappingSuiteIdentifier,
  } = esdk;
  const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const keyring = new RawAesKeyringNode({
    keyName: 'bench',
    keyNamespace: 'volseal-bench',
    // The keyring wants a buffer that is not a view into another.
    unencryptedMasterKey: new Uint8Array(keyBytes),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  const options = {
    suiteId: AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
    ...(frameLength === undefined ? {} : { frameLength }),
  };
  return { client, keyring, options };
}

export function esdk(frameLength) {
  return {
    title: `@aws-crypto/client-node, ${frameLength === undefined ? '4 KiB frames (default)' : '64 KiB frames'}`,
    package: '@aws-crypto/client-node',

    async buffer() {
      const { client, keyring, options } = await load(frameLength);
      return {
        encrypt: async (plain) => (await client.encrypt(keyring, plain, options)).result,
        decrypt: async (sealed) => (await client.decrypt(keyring, sealed)).plaintext,
      };
    },

    async streams() {
      const { client, keyring, options } = await load(frameLength);
      return {
        kind: 'node',
        encrypt: () => client.encryptStream(keyring, options),
        decrypt: () => client.decryptUnsignedMessageStream(keyring),
      };
    },

    async files() {
      const { client, keyring, options } = await load(frameLength);
      return {
        encrypt: (source, destination) =>
          pipeline(
            createReadStream(source),
            client.encryptStream(keyring, options),
            createWriteStream(destination),
          ),
        decrypt: (source, destination) =>
          pipeline(
            createReadStream(source),
            client.decryptUnsignedMessageStream(keyring),
            createWriteStream(destination),
          ),
      };
    },
  };
}
