/** What tests let another process do with a volume. */

import { createInterface } from 'node:readline';

import { openVolume } from '../../../src/index.ts';
import { testKeys } from '../../../src/testing.ts';

const [what, root = ''] = process.argv.slice(2);
const keys = testKeys();
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (what === 'leave-open') {
  const volume = await openVolume(root, { keys });
  const handle = await volume.open('f', 'a');
  await handle.write('x');
  volume.createReadStream('f').pause();
  volume.createWriteStream('g').write('y');
  say('left');
} else if (what === 'hold') {
  // Holds a file open for writing until it is told to go on.
  const volume = await openVolume(root, { keys });
  const handle = await volume.open('held', 'a');
  await handle.write('held ');
  await handle.sync();
  say(`pid ${process.pid}`);
  for await (const line of createInterface(process.stdin)) {
    if (line === 'end') break;
    await handle.write(line);
    await handle.sync();
    say('done');
  }
  await handle.close();
  await volume.close();
  process.stdin.destroy();
  say('closed');
} else if (what === 'replace') {
  // Replaces and appends to files as fast as it can, each content telling its own length.
  const volume = await openVolume(root, { keys, durability: 'none' });
  const log = await volume.open('log', 'a');
  say('started');
  for (let round = 0; round < 150; round++) {
    await volume.writeFile('replaced', `${round} `.repeat(1 + ((round * 7_919) % 30_000)));
    await log.write(`${String(round).padStart(9, '0')}\n`);
    if (round % 3 === 0) await log.sync();
  }
  await log.close();
  await volume.close();
  say('closed');
}
