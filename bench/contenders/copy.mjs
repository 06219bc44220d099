/** Copies without any cipher. */

import { copyFile, open } from 'node:fs/promises';

/** fs.copyFile: the kernel copies, no byte comes to user space. */
export const kernelCopy = {
  title: 'fs.copyFile (no cipher)',
  plain: true,
  files: () => ({ encrypt: copyFile, decrypt: copyFile }),
};

/** A copy through user space, 1 MiB at a time: what reading and writing cost when nothing is ciphered. */
async function copyLoop(source, destination) {
  const from = await open(source);
  const to = await open(destination, 'w');
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  for (let at = 0; ; ) {
    const { bytesRead } = await from.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    await to.write(buffer, 0, bytesRead, at);
    at += bytesRead;
  }
  await to.close();
  await from.close();
}

export const userCopy = {
  title: 'read and write, 1 MiB at a time (no cipher)',
  plain: true,
  files: () => ({ encrypt: copyLoop, decrypt: copyLoop }),
};
