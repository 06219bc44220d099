/** A volume by the public exports of dist: the store that the volume cases work on. */

import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { secretEnv, UnavailableError } from './keys.mjs';

const dist = new URL('../../dist/', import.meta.url);

async function load() {
  const [volseal, { flySecrets }] = await Promise.all([
    import(new URL('index.js', dist)),
    import(new URL('kms/index.js', dist)),
  ]);
  if (volseal.openVolume === undefined) throw new UnavailableError('dist has no volumes');
  return { volseal, keys: flySecrets({ env: secretEnv }) };
}

async function openStore(directory, suite, options = {}) {
  const { volseal, keys } = await load();
  const root = join(directory, `volume-${suite}`);
  if (!existsSync(join(root, '.volseal', 'keyring.json'))) {
    mkdirSync(root, { recursive: true });
    // A recovery key is a second slot of the keyring; no file has one.
    await volseal.initVolume(root, { keys, policy: { suite }, recovery: true });
  }
  return { root, volume: await volseal.openVolume(root, { keys, ...options }) };
}

export function volume(suite) {
  return {
    title: suite === 'aes-256-gcm' ? 'volseal volume' : `volseal volume (${suite})`,

    /** `durable: false` is `durability: 'none'`. */
    async store({ durable }, { directory }) {
      const options = { durability: durable ? 'sync' : 'none' };
      const { root, volume } = await openStore(directory, suite, options);
      return {
        root,
        writeFile: (path, data) => volume.writeFile(path, data),
        readFile: (path) => volume.readFile(path),
        open: (path, flags) => volume.open(path, flags),
        createWriteStream: (path) => volume.createWriteStream(path),
        createReadStream: (path) => volume.createReadStream(path),
        close: () => volume.close(),
      };
    },

    /** As the other contenders of random reads have it: a sealed copy of a plaintext file, and reads at offsets. */
    ranges() {
      const storeOf = (path) => openStore(dirname(path), suite);
      return {
        async seal(source, path) {
          const { volume } = await storeOf(path);
          await pipeline(createReadStream(source), volume.createWriteStream(basename(path)));
          await volume.close();
        },
        async open(path) {
          const { volume } = await storeOf(path);
          const handle = await volume.open(basename(path), 'r');
          return {
            plainSegmentBytes: 16_384 - 44,
            read: (target, length, position) => handle.read(target, 0, length, position),
            async close() {
              await handle.close();
              await volume.close();
            },
          };
        },
      };
    },
  };
}
