import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { exitCodeOf, exitCodes, worseExitCode } from '../../src/cli/exit-codes.ts';
import { volsealErrorCodes } from '../../src/errors.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/cli.md', import.meta.url)), 'utf8');
const rows = (pattern: RegExp): RegExpMatchArray[] => [...page.matchAll(pattern)];

test('every error code has an exit code, and there are no others', () => {
  expect(Object.keys(exitCodeOf).toSorted()).toEqual([...volsealErrorCodes].toSorted());
  const known = new Set<number>(Object.values(exitCodes));
  for (const code of volsealErrorCodes) {
    expect(known.has(exitCodeOf[code]), code).toBe(true);
    expect(exitCodeOf[code], code).not.toBe(exitCodes.done);
  }
});

test('docs/cli.md has the same table, in the same order', () => {
  const documented = rows(/^\| `(ERR_VOLSEAL_\w+)` \| (\d+) \|$/gm).map(([, code, exit]) => [
    code,
    Number(exit),
  ]);
  expect(documented).toEqual(Object.entries(exitCodeOf));
});

test('docs/cli.md explains every exit code that is given', () => {
  const explained = rows(/^\| ([\d, ]+) \| \w/gm).flatMap(([, numbers]) =>
    (numbers ?? '').split(',').map(Number),
  );
  expect(explained.toSorted((a, b) => a - b)).toEqual(
    [...Object.values(exitCodes), 129, 143].toSorted((a, b) => a - b),
  );
});

describe('of several failures', () => {
  test('the order is the documented one', () => {
    const order =
      /the first in this order decides: ([\d, ]+)\./.exec(page)?.[1]?.split(', ').map(Number) ?? [];
    expect(order).toHaveLength(new Set(Object.values(exitCodeOf)).size - 1);
    for (const [i, worse] of order.entries()) {
      for (const lesser of order.slice(i + 1)) {
        expect(worseExitCode(worse, lesser)).toBe(worse);
        expect(worseExitCode(lesser, worse)).toBe(worse);
      }
    }
  });

  test('success never hides a failure', () => {
    for (const code of Object.values(exitCodes)) {
      expect(worseExitCode(0, code)).toBe(code);
      expect(worseExitCode(code, 0)).toBe(code);
    }
  });
});
