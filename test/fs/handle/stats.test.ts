/** Stats put together from bigints against those that Node makes itself. */

import { lstatSync, mkdirSync, Stats, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { numberStats, statsAs } from '../../../src/fs/handle/stats.ts';
import { scratch } from '../../sealed/scratch.ts';

const { fresh } = scratch();

test('of a file, a directory, a link and a device they are what Node says', () => {
  const [file, directory, link] = [fresh(), fresh(), fresh()];
  writeFileSync(file, 'text', { mode: 0o640 });
  utimesSync(file, 1_234.567_891, 2_345.000_001);
  mkdirSync(directory);
  symlinkSync(file, link);
  for (const path of [file, directory, link, '/dev/null']) {
    const plain = lstatSync(path);
    const made = numberStats(lstatSync(path, { bigint: true }));
    expect(made).toBeInstanceOf(Stats);
    // Without what is under symbols, of which only Node knows.
    expect(Object.fromEntries(Object.entries(made))).toEqual(Object.fromEntries(Object.entries(plain)));
    for (const name of ['atimeInstant', 'mtimeInstant', 'ctimeInstant', 'birthtimeInstant']) {
      expect(String(Reflect.get(made, name)), name).toBe(String(Reflect.get(plain, name)));
    }
    for (const name of ['atime', 'mtime', 'ctime', 'birthtime'] as const) {
      expect(made[name].getTime(), name).toBe(plain[name].getTime());
    }
    for (const is of ['isFile', 'isDirectory', 'isSymbolicLink', 'isCharacterDevice', 'isFIFO'] as const) {
      expect(made[is](), is).toBe(plain[is]());
    }
  }
});

test('in the form that is asked for', () => {
  const stats = statSync('/', { bigint: true });
  expect(statsAs(stats, { bigint: true })).toBe(stats);
  expect(statsAs(stats, { bigint: false }).ino).toBe(Number(stats.ino));
  expect(statsAs(stats, undefined).ino).toBe(Number(stats.ino));
});
