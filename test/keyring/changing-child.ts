/** Changes a keyring again and again, as one of several processes. Run as a bundle by processes.test.ts. */

import { join } from 'node:path';
import { FileLocks } from '../../src/fs/locks/file-locks.ts';
import { addVolumeKey } from '../../src/keyring/changes.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { testKeys } from '../../src/testing.ts';

const [, , directory, times] = process.argv as [string, string, string, string];
const locks = new FileLocks(nodeSystem, join(directory, 'locks'));

const keyring = await Keyring.open(nodeSystem, directory, {
  providers: [testKeys()],
  async withLock(run) {
    const lock = await locks.acquire('keyring', { path: directory, waitMs: 60_000 });
    try {
      return await run();
    } finally {
      await lock.release();
    }
  },
});
for (let i = 0; i < Number(times); i++) {
  await keyring.change(addVolumeKey());
  process.stdout.write(`${keyring.info().volumeKeys.at(-1)?.version}\n`);
}
