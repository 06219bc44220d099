import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { assertEqualHash, hashOf, plainBytes } from '../lib/data.mjs';
import { once } from '../lib/measure.mjs';
import { remove } from './files.mjs';

export const id = 'small-files';
export const title = 'Many small files';
export const unit = 'files/s';
export const better = 'higher';
export const note = 'Files of 1 KiB, one after the other, each written under its own name.';

const fileBytes = 1024;
const rivals = ['esdk-64k', 'age-encryption', 'sodium-native'];

export function cases({ quick }) {
  const count = quick ? 200 : 10_000;
  return [
    {
      id: `${count}-of-1-kib`,
      title: `${count.toLocaleString('en')} files of 1 KiB`,
      count,
      rounds: quick ? undefined : 3,
      operations: ['encrypt', 'decrypt'],
      contenders: ['volseal', 'ideal', 'naive', 'copy-file', ...(quick ? [] : rivals)],
      place: 'memory',
      needBytes: 3 * count * 8192,
    },
  ];
}

const folders = (directory, contenderId) => ({
  plain: join(directory, 'small-plain'),
  sealed: join(directory, `small-sealed-${contenderId}`),
  opened: join(directory, 'small-opened'),
});

async function eachFile(convert, from, to, count) {
  mkdirSync(to, { recursive: true });
  for (let i = 0; i < count; i++) await convert(join(from, `${i}`), join(to, `${i}`));
}

/** A hash over the first `count` files. */
async function hashOfFolder(folder, count) {
  const contents = [];
  for (let i = 0; i < count; i++) contents.push(await readFile(join(folder, `${i}`)));
  return hashOf(...contents);
}

async function makePlain(folder, count) {
  mkdirSync(folder, { recursive: true });
  const data = plainBytes(count * fileBytes);
  for (let i = 0; i < count; i++) {
    await writeFile(join(folder, `${i}`), data.subarray(i * fileBytes, (i + 1) * fileBytes));
  }
}

export async function check({ count }, contender, { directory, contenderId }) {
  const { plain, sealed, opened } = folders(directory, contenderId);
  const files = await contender.files({}, { directory });
  await makePlain(plain, count);
  const checked = Math.min(count, 500);
  await eachFile(files.encrypt, plain, sealed, checked);
  await eachFile(files.decrypt, sealed, opened, checked);
  assertEqualHash('small files', await hashOfFolder(opened, checked), await hashOfFolder(plain, checked));
  remove(sealed);
  remove(opened);
}

export async function measure({ count }, contender, operation, { directory, contenderId }) {
  const { plain, sealed, opened } = folders(directory, contenderId);
  const files = await contender.files({}, { directory });
  const [from, to] = operation === 'encrypt' ? [plain, sealed] : [sealed, opened];
  remove(to);
  const { seconds } = await once(() => eachFile(files[operation], from, to, count), count * fileBytes);
  if (operation === 'decrypt') {
    remove(sealed);
    remove(opened);
  }
  return { value: count / seconds };
}
