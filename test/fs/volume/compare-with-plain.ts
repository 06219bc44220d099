/** Runs the same operations on a volume and on a plain directory, and holds them to the same outcome. */

import { mkdirSync, promises as plain } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { entriesBelow, type FileApi, operations, outcomeOf } from './file-system-operations.ts';
import { removeTree } from './volumes.ts';

/** Every entry with its content. */
async function treeOf(api: FileApi, base: string): Promise<unknown> {
  const entries = await entriesBelow(api, `${base}.`);
  const described = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const below = base === '' ? path : path.slice(base.length);
    if (entry.isFile()) return [below, await api.readFile(path, 'utf8'), (await api.stat(path)).mode];
    return [below, entry.isSymbolicLink() ? await api.readlink(path) : 'directory'];
  });
  const tree = (await Promise.all(described)) as [string, ...unknown[]][];
  return tree.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** @param fresh gives paths where nothing is, for plain directories */
export async function expectSameAsPlain(sealed: Volume, fresh: () => string, numRuns: number): Promise<void> {
  const api = sealed as unknown as FileApi;
  await fc.assert(
    fc.asyncProperty(fc.array(operations, { minLength: 5, maxLength: 40 }), async (list) => {
      const base = `${fresh()}/`;
      mkdirSync(base);
      await sealed.emptyDir('/');
      for (const operation of list) {
        const expected = await outcomeOf(plain, base, operation);
        expect([operation.name, await outcomeOf(api, '', operation)]).toEqual([operation.name, expected]);
      }
      expect(await treeOf(api, '')).toEqual(await treeOf(plain, base));
      removeTree(base);
    }),
    { numRuns },
  );
}
