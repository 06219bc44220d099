/**
 * Plain files by `node:fs/promises`, with the recipe that makes a whole file appear at once and stay: temporary name,
 * write, fsync, rename, fsync of the directory.
 */

import { randomBytes } from 'node:crypto';
import { copyFile, open, readFile, rename, unlink } from 'node:fs/promises';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

async function writeAll(handle, data) {
  for (let at = 0; at < data.length; ) {
    const { bytesWritten } = await handle.write(data, at, data.length - at, at);
    at += bytesWritten;
  }
}

async function syncDirectory(path) {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function replaceFile(path, data, durable) {
  const temporary = join(dirname(path), `.tmp-${randomBytes(8).toString('hex')}`);
  const handle = await open(temporary, 'wx');
  try {
    await writeAll(handle, data);
    if (durable) await handle.sync();
  } catch (error) {
    await unlink(temporary);
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  if (durable) await syncDirectory(dirname(path));
}

export const plainFiles = {
  replaceFile,
  title: 'plain files, the same recipe',

  async store({ durable }, { directory }) {
    const root = join(directory, 'plain-files');
    mkdirSync(root, { recursive: true });
    return {
      root,
      writeFile: (path, data) => replaceFile(join(root, path), data, durable),
      readFile: (path) => readFile(join(root, path)),
      open: (path, flags) => open(join(root, path), flags),
      createWriteStream: (path) => createWriteStream(join(root, path), { flush: durable }),
      createReadStream: (path) => createReadStream(join(root, path)),
      async close() {},
    };
  },

  ranges() {
    return {
      seal: copyFile,
      async open(path) {
        const handle = await open(path);
        return {
          // Places are chosen inside a segment of a volume, so that all read the same ones.
          plainSegmentBytes: 16_384 - 44,
          read: (target, length, position) => handle.read(target, 0, length, position),
          close: () => handle.close(),
        };
      },
    };
  },
};
