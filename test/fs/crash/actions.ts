/** What is done to a volume, what each of these actions changes, and what may be found after one that was broken off. */

import type { Volume } from '../../../src/fs/volume/volume.ts';
import type { KeyProvider } from '../../../src/kms/provider.ts';
import { testKeys } from '../../../src/testing.ts';

export const root = '/data';
export const keys: KeyProvider = testKeys();
export const segmentBytes = 4_096;

/** What a name stands for: a file by its content, a directory, or nothing. */
export type Thing = Buffer | 'directory' | undefined;
export type Tree = ReadonlyMap<string, Thing>;

export interface Action {
  readonly label: string;
  readonly run: (volume: Volume) => Promise<unknown>;
  /** What it changes. */
  readonly changes: (tree: Tree) => readonly (readonly [path: string, thing: Thing])[];
  /** A crash may bring back what was there before, until something else is put there: removing is not synced. */
  readonly forgets?: boolean;
}

export const dataOf = (fill: string, bytes: number): Buffer => Buffer.alloc(bytes, fill);
const contentAt = (tree: Tree, path: string): Buffer => {
  const thing = tree.get(path);
  return thing instanceof Buffer ? thing : Buffer.alloc(0);
};

export const put = (path: string, data: Buffer, immutable = false): Action => ({
  label: `${immutable ? 'immutable ' : ''}writeFile ${path}`,
  run: (volume) => volume.writeFile(path, data, { immutable }),
  changes: () => [[path, data]],
});

export const append = (path: string, data: Buffer): Action => ({
  label: `appendFile ${path}`,
  run: (volume) => volume.appendFile(path, data),
  changes: (tree) => [[path, Buffer.concat([contentAt(tree, path), data])]],
});

export const writeAt = (path: string, data: Buffer, at: number): Action => ({
  label: `write at ${at} of ${path}`,
  run: async (volume) => {
    const handle = await volume.open(path, 'r+');
    await handle.write(data, 0, data.length, at);
    await handle.sync();
    await handle.close();
  },
  changes: (tree) => {
    const content = Buffer.from(contentAt(tree, path));
    data.copy(content, at);
    return [[path, content]];
  },
});

export const truncate = (path: string, bytes: number): Action => ({
  label: `truncate ${path} to ${bytes}`,
  run: (volume) => volume.truncate(path, bytes),
  changes: (tree) => [[path, Buffer.concat([contentAt(tree, path), Buffer.alloc(bytes)], bytes)]],
});

export const create = (path: string): Action => ({
  label: `open ${path} with wx`,
  run: async (volume) => (await volume.open(path, 'wx')).close(),
  changes: () => [[path, Buffer.alloc(0)]],
});

export const emptied = (path: string): Action => ({
  label: `open ${path} with w`,
  run: async (volume) => (await volume.open(path, 'w')).close(),
  changes: () => [[path, Buffer.alloc(0)]],
});

export const rename = (from: string, to: string): Action => ({
  label: `rename ${from} ${to}`,
  run: (volume) => volume.rename(from, to),
  // With everything in it, when it is a directory.
  changes: (tree) =>
    [...tree]
      .filter(([path]) => path === from || path.startsWith(`${from}/`))
      .flatMap(([path, thing]) => [
        [path, undefined],
        [to + path.slice(from.length), thing],
      ]),
});

export const copy = (from: string, to: string): Action => ({
  label: `copyFile ${from} ${to}`,
  run: (volume) => volume.copyFile(from, to),
  changes: (tree) => [[to, tree.get(from)]],
});

export const ensureDir = (path: string): Action => ({
  label: `ensureDir ${path}`,
  run: (volume) => volume.ensureDir(path),
  changes: () => path.split('/').map((_, i, names) => [names.slice(0, i + 1).join('/'), 'directory']),
});

export const unlink = (path: string): Action => ({
  label: `unlink ${path}`,
  run: (volume) => volume.unlink(path),
  changes: () => [[path, undefined]],
  forgets: true,
});

/** The trees before and after each action, and what else each path may be after a crash. */
export class Expected {
  readonly #trees: Tree[];
  readonly #remnants: ReadonlyMap<string, readonly Thing[]>[] = [new Map()];

  constructor(start: Tree, actions: readonly Action[]) {
    this.#trees = [start];
    for (const { changes, forgets } of actions) {
      const before = this.#trees.at(-1) as Tree;
      const after = new Map(before);
      const remnants = new Map(this.#remnants.at(-1));
      for (const [path, thing] of changes(before)) {
        after.set(path, thing);
        remnants.set(path, forgets === true ? [before.get(path), ...(remnants.get(path) ?? [])] : []);
      }
      this.#trees.push(after);
      this.#remnants.push(remnants);
    }
  }

  check(done: number, found: Tree): void {
    const [now, next] = [this.#trees[done] as Tree, this.#trees[done + 1]];
    const remnants = this.#remnants[done];
    for (const path of new Set([...now.keys(), ...(next?.keys() ?? []), ...found.keys()])) {
      const allowed = [
        now.get(path),
        ...(remnants?.get(path) ?? []),
        ...(next === undefined ? [] : [next.get(path)]),
      ];
      if (!allowed.some((thing) => isSame(thing, found.get(path)))) {
        throw new Error(
          `${path} is ${inWords(found.get(path))} after ${done} actions; it must be ${allowed.map(inWords).join(' or ')}`,
        );
      }
    }
    // What is moved is never gone from both places.
    for (const [path, thing] of now) {
      if (!(thing instanceof Buffer) || found.get(path) !== undefined || next?.get(path) !== undefined)
        continue;
      const isKept = [...found.values()].some((other) => isSame(thing, other));
      const isRemoved = next === undefined || ![...next.values()].some((other) => isSame(thing, other));
      if (!isKept && !isRemoved) throw new Error(`what was ${path} is nowhere`);
    }
  }
}

function isSame(a: Thing, b: Thing): boolean {
  return a instanceof Buffer && b instanceof Buffer ? a.equals(b) : a === b;
}

function inWords(thing: Thing): string {
  if (thing === undefined || typeof thing === 'string') return thing ?? 'nothing';
  return `${thing.length} bytes ${thing.toString('latin1', 0, 1)}…${thing.toString('latin1', thing.length - 1)}`;
}

export async function treeOf(volume: Volume): Promise<Tree> {
  const tree = new Map<string, Thing>();
  const visit = async (directory: string): Promise<void> => {
    for (const entry of await volume.readdir(directory === '' ? '/' : directory, { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (!entry.isDirectory()) {
        tree.set(path, (await volume.readFile(path)) as Buffer);
        continue;
      }
      tree.set(path, 'directory');
      await visit(path);
    }
  };
  await visit('');
  return tree;
}
