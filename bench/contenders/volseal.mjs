/** volseal by its public exports, as built into dist. */

import { keyBytes, secretEnv, UnavailableError } from './keys.mjs';

const dist = new URL('../../dist/', import.meta.url);

async function load(entry) {
  try {
    return await import(new URL(entry, dist));
  } catch (error) {
    throw new UnavailableError(`cannot load dist/${entry}: ${error.message.split('\n')[0]}`);
  }
}

async function loadWithKeys() {
  const [volseal, { flySecrets }] = await Promise.all([load('index.js'), load('kms/index.js')]);
  return { volseal, keys: flySecrets({ env: secretEnv }) };
}

export const suites = ['aes-256-gcm', 'xchacha20-poly1305'];

export function volseal(suite) {
  return {
    title: `volseal (${suite})`,

    async segments({ segmentBytes }) {
      const { FloeEncryptor, FloeDecryptor } = await load('floe/index.js');
      const encryptor = FloeEncryptor.start(keyBytes, { segmentBytes, suite });
      const decryptor = FloeDecryptor.start(keyBytes, encryptor.header, {});
      return {
        plainSegmentBytes: encryptor.plainSegmentBytes,
        seal: (plain, position, final) => encryptor.sealSegmentParts([plain], position, final),
        open: (sealed, position, final) => decryptor.openSegment(sealed, position, final),
      };
    },

    async buffer() {
      const { volseal, keys } = await loadWithKeys();
      return {
        encrypt: (plain) => volseal.encrypt(plain, { keys, suite }),
        decrypt: (sealed) => volseal.decrypt(sealed, { keys }),
      };
    },

    async streams() {
      const { volseal, keys } = await loadWithKeys();
      return {
        kind: 'node',
        encrypt: () => volseal.createEncryptStream({ keys, suite }),
        decrypt: () => volseal.createDecryptStream({ keys }),
      };
    },

    async files() {
      const { volseal, keys } = await loadWithKeys();
      return {
        encrypt: (source, destination) => volseal.encryptFile(source, destination, { keys, suite }),
        decrypt: (source, destination) => volseal.decryptFile(source, destination, { keys }),
      };
    },

    async ranges({ segmentBytes }) {
      const { volseal, keys } = await loadWithKeys();
      return {
        seal: (source, destination) =>
          volseal.encryptFile(source, destination, { keys, suite, segmentBytes }),
        async open(path) {
          const file = await volseal.openEncrypted(path, { keys });
          return {
            plainSegmentBytes: segmentBytes - 32,
            read: (target, length, position) => file.read(target, 0, length, position),
            close: () => file.close(),
          };
        },
      };
    },
  };
}

/** The Web streams of volseal. */
export function volsealWeb(suite) {
  return {
    title: `volseal, web streams (${suite})`,
    async streams() {
      const { volseal, keys } = await loadWithKeys();
      return {
        kind: 'web',
        encrypt: (source) => source.pipeThrough(new volseal.EncryptionStream({ keys, suite })),
        decrypt: (source) => source.pipeThrough(new volseal.DecryptionStream({ keys })),
      };
    },
  };
}

/** Whole FLOE messages without an envelope. */
export function volsealFloe(suite) {
  return {
    title: `volseal floeEncrypt (${suite})`,
    async buffer() {
      const { floeEncrypt, floeDecrypt } = await load('floe/index.js');
      return {
        encrypt: (plain) => floeEncrypt(keyBytes, plain, { suite }),
        decrypt: (sealed) => floeDecrypt(keyBytes, sealed, {}),
      };
    },
  };
}
