/**
 * Writes and syncs in a loop, and says on stdout what is safe, one line for each sync. Ended by SIGKILL.
 *
 * `kill-program ROOT`: a log file that grows by a line each time, a page file in which one page is overwritten each time,
 * and a file that is replaced each time.
 */

import { writeSync } from 'node:fs';

import { openVolume } from '../../../src/fs/volume/entry.ts';
import { testKeys } from '../../../src/testing.ts';
import { lineOf, pageBytes, pageOf, pages } from './kill-contents.ts';

const [root = ''] = process.argv.slice(2);

async function run(): Promise<void> {
  const volume = await openVolume(root, { keys: testKeys() });
  const log = await volume.open('log', 'a');
  const book = await volume.open('book', 'r+');
  const { size } = await log.stat();
  for (let number = size / lineOf(0).length; ; number++) {
    await log.write(lineOf(number));
    await log.sync();
    writeSync(1, `log ${number}\n`);
    const page = number % pages;
    await book.write(pageOf(number), 0, pageBytes, page * pageBytes);
    await book.datasync();
    writeSync(1, `book ${number}\n`);
    await volume.writeFile('whole', `${number}`.padStart(20_000, '.'));
    writeSync(1, `whole ${number}\n`);
  }
}

void run();
