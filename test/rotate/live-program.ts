/**
 * An app that writes while its keys are rotated: `live-program ROOT`. It says on stdout what is safe, one line for each thing,
 * and goes on until it is killed; with a line on standard input it ends in order.
 *
 * A log that is held open and grows, a page file that is held open and overwritten, a file that is replaced each time, and
 * files that are made, renamed, copied and removed.
 */

import { writeSync } from 'node:fs';

import { openVolume } from '../../src/fs/volume/entry.ts';
import { lineOf, pageBytes, pageOf, pages } from '../fs/crash/kill-contents.ts';
import { liveKeys, namesInTurn, wholeOf } from './live-contents.ts';

const [root = ''] = process.argv.slice(2);
let isAsked = false;
process.stdin.on('data', () => (isAsked = true));

async function run(): Promise<void> {
  const volume = await openVolume(root, { keys: liveKeys() });
  const log = await volume.open('log', 'a');
  const book = await volume.open('book', 'r+');
  const { size } = await log.stat();
  for (const name of ['made', 'moved', 'copied']) await volume.ensureDir(name);
  for (let number = size / lineOf(0).length; !isAsked; number++) {
    await log.write(lineOf(number));
    await log.sync();
    writeSync(1, `log ${number}\n`);
    const page = number % pages;
    await book.write(pageOf(number), 0, pageBytes, page * pageBytes);
    await book.datasync();
    writeSync(1, `book ${number}\n`);
    await volume.writeFile('whole', wholeOf(number));
    writeSync(1, `whole ${number}\n`);
    const name = String(number % namesInTurn);
    await volume.writeFile(`made/${name}`, wholeOf(number), { immutable: number % 2 === 0 });
    await volume.rename(`made/${name}`, `moved/${name}`);
    await volume.copyFile(`moved/${name}`, `copied/${name}`);
    writeSync(1, `moved ${number}\n`);
    if (number % 3 === 0) await volume.rm(`copied/${name}`);
    // Directories move as well, with all that is in them.
    if (number % 11 === 0) {
      await volume.rename('moved', 'moved-away');
      await volume.rename('moved-away', 'moved');
    }
  }
  await log.close();
  await book.close();
  await volume.close();
  process.stdin.destroy();
}

void run();
