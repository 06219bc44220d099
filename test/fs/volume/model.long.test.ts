/** The same as model.test.ts, for longer. */

import { test } from 'vitest';

import { expectSameAsPlain } from './compare-with-plain.ts';
import { volumeScratch, withoutDescriptorPaths } from './volumes.ts';

const { fresh, volume } = volumeScratch();
const runs = 3_000;

test('the same operations come to the same as on a plain directory', async () => {
  await expectSameAsPlain(await volume(), fresh, runs);
  await expectSameAsPlain(await volume({ durability: 'none' }, {}, withoutDescriptorPaths), fresh, runs);
}, 300_000);
