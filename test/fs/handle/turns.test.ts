/** Turns: in order on one thing, at once on several, and nothing is kept when all is done. */

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Turns } from '../../../src/fs/handle/turns.ts';
import { until } from './until.ts';

test('work on one thing never overlaps and keeps its order, whatever fails', async () => {
  const work = fc.record({ key: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(work, { maxLength: 12 }), fc.scheduler(), async (works, scheduler) => {
      const turns = new Turns();
      const log: string[] = [];
      const done = works.map(async ({ key, fails }, i) =>
        turns
          .take(key, async () => {
            log.push(`${key} ${i} begins`);
            await scheduler.schedule(Promise.resolve(), `${key} ${i}`);
            log.push(`${key} ${i} ends`);
            if (fails) throw new Error(`${i}`);
            return i;
          })
          .catch((error: Error) => -Number(error.message)),
      );
      await scheduler.waitFor(Promise.all(done));
      expect((await Promise.all(done)).map(Math.abs)).toEqual(works.map((_, i) => i));
      for (const key of ['a', 'b', 'c']) {
        const own = log.filter((line) => line.startsWith(key));
        const expected = works.flatMap((each, i) =>
          each.key === key ? [`${key} ${i} begins`, `${key} ${i} ends`] : [],
        );
        expect(own).toEqual(expected);
      }
      await until(() => turns.size === 0);
    }),
    { numRuns: 60 },
  );
});

test('different things do not wait for each other', async () => {
  const turns = new Turns();
  let release = (): void => {};
  const first = turns.take('a', async () => new Promise<void>((resolve) => (release = resolve)));
  expect(await turns.take('b', async () => 'b')).toBe('b');
  release();
  await first;
});
