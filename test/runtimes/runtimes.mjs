/** Where `npm ci` in this folder puts the executables. They are called by path: none of them shadows the `node` in use. */

import { arch, platform } from 'node:process';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('./node_modules/', import.meta.url));

if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
  throw new Error(`the runtimes are installed for Linux on x64 and arm64, not for ${platform} on ${arch}`);
}

/** The lowest Node that is supported, and the newest of each later line. */
export const nodes = ['20', '22', '24', '26'].map((line) => ({
  name: `node${line}`,
  program: `${modules}node${line}-linux-${arch}/bin/node`,
}));

export const bun = {
  name: 'bun',
  program: `${modules}@oven/bun-linux-${arch === 'x64' ? 'x64' : 'aarch64'}/bin/bun`,
};

export const deno = { name: 'deno', program: `${modules}@deno/linux-${arch}-glibc/deno` };
