/**
 * The volume against `node:fs/promises` on a plain directory: the same operations come to the same values and the same
 * errors, word for word, and leave the same tree.
 */

import { describe, test } from 'vitest';

import { expectSameAsPlain } from './compare-with-plain.ts';
import { volumeScratch, withoutDescriptorPaths } from './volumes.ts';

const { fresh, volume } = volumeScratch();
const runs = 80;

describe('the same operations come to the same as on a plain directory', () => {
  test('durable', async () => {
    await expectSameAsPlain(await volume(), fresh, runs);
  });

  test('without durability', async () => {
    await expectSameAsPlain(await volume({ durability: 'none' }), fresh, runs);
  });

  test('where descriptors do not tell their paths', async () => {
    await expectSameAsPlain(await volume({ durability: 'none' }, {}, withoutDescriptorPaths), fresh, runs);
  });
});
