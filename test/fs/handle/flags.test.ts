/** Flags and modes: what Node takes is taken and means the same, what Node refuses is refused with the same code. */

import { chmodSync, constants, openSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { parseMode, parseOpenFlags } from '../../../src/fs/handle/flags.ts';
import { scratch } from '../../sealed/scratch.ts';
import { outcomeOf } from './operations.ts';

const { fresh } = scratch();
const { O_APPEND, O_CREAT, O_DSYNC, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY, O_SYNC } = constants;

test.each([
  ['r', 'r'],
  ['rs', 'r s'],
  ['sr', 'r s'],
  ['r+', 'rw'],
  ['rs+', 'rw s'],
  ['sr+', 'rw s'],
  ['w', 'w create truncate'],
  ['wx', 'w create exclusive truncate'],
  ['xw', 'w create exclusive truncate'],
  ['w+', 'rw create truncate'],
  ['wx+', 'rw create exclusive truncate'],
  ['xw+', 'rw create exclusive truncate'],
  ['a', 'w append create'],
  ['ax', 'w append create exclusive'],
  ['xa', 'w append create exclusive'],
  ['as', 'w append create s'],
  ['sa', 'w append create s'],
  ['a+', 'rw append create'],
  ['ax+', 'rw append create exclusive'],
  ['xa+', 'rw append create exclusive'],
  ['as+', 'rw append create s'],
  ['sa+', 'rw append create s'],
  [undefined, 'r'],
  [null, 'r'],
  [O_RDWR, 'rw'],
  [O_WRONLY | O_CREAT | O_TRUNC, 'w create truncate'],
  [O_WRONLY | O_CREAT | O_EXCL, 'w create exclusive'],
  [O_RDWR | O_EXCL, 'rw'],
  [O_TRUNC, 'r truncate'],
  [O_RDWR | O_APPEND | O_SYNC, 'rw append s'],
  [O_RDWR | O_DSYNC, 'rw s'],
])('%s is %s', (flags, meaning) => {
  const { append, create, exclusive, read, syncEachWrite, truncate, write } = parseOpenFlags(flags);
  const words = [
    `${read ? 'r' : ''}${write ? 'w' : ''}`,
    append && 'append',
    create && 'create',
    exclusive && 'exclusive',
    truncate && 'truncate',
    syncEachWrite && 's',
  ];
  expect(words.filter((word) => word !== false).join(' ')).toBe(meaning);
});

test('whatever Node refuses is refused, with the same code; what it takes is taken', async () => {
  const path = fresh();
  const letters = fc.string({ unit: fc.constantFrom('r', 'w', 'a', 'x', 's', '+', 'b', ' '), maxLength: 4 });
  const other = fc.oneof(
    fc.integer({ min: -(2 ** 33), max: -(2 ** 31) - 1 }),
    fc.double({ min: 0.1, max: 0.9 }),
    fc.constantFrom(2 ** 31, Number.NaN, Infinity, true, {}, [], 5n, '__proto__', 'constructor'),
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(letters, other), async (flags) => {
      const plain = await outcomeOf(async () => openSync(`${path}/missing/file`, flags as string));
      const ours = await outcomeOf(async () => parseOpenFlags(flags as string));
      if ('code' in plain && plain.code === 'ENOENT') expect(ours).toHaveProperty('result');
      else expect(ours).toEqual(plain);
    }),
    { numRuns: 400 },
  );
});

test('flags that a sealed file cannot have', () => {
  for (const flags of [
    constants.O_DIRECT,
    0o20000000 | constants.O_DIRECTORY | O_RDWR,
    O_RDWR | O_WRONLY,
    -1,
  ]) {
    expect(() => parseOpenFlags(flags)).toThrow(expect.objectContaining({ code: 'EINVAL', syscall: 'open' }));
  }
});

test('modes as chmod takes them', async () => {
  const path = fresh();
  writeFileSync(path, '');
  const digits = fc.string({ unit: fc.constantFrom('0', '1', '4', '7', '8', 'x', ' '), maxLength: 5 });
  const other = fc.constantFrom(0, 0o644, 0o7777, -1, 2 ** 32, 1.5, Number.NaN, undefined, null, {}, true);
  await fc.assert(
    fc.asyncProperty(fc.oneof(digits, other), async (mode) => {
      const plain = await outcomeOf(async () => chmodSync(path, mode as string));
      const ours = await outcomeOf(async () => parseMode(mode));
      if ('result' in plain)
        expect(ours).toEqual({ result: typeof mode === 'string' ? Number.parseInt(mode, 8) : mode });
      else expect(ours).toEqual(plain);
    }),
    { numRuns: 200 },
  );
  expect(parseMode(undefined, 0o666)).toBe(0o666);
});
