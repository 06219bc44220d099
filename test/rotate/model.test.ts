/**
 * Random interleavings of what an application does and of every step of a rotation, over two volume objects as two processes
 * have them: afterwards everything opens with the content that it must have, and no header half is under a retired key.
 */

import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Volume } from '../../src/fs/volume/volume.ts';
import { volumeInternals } from '../../src/fs/volume/internals.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import type { System } from '../../src/os/system.ts';
import { audit } from '../../src/rotate/audit.ts';
import { retire } from '../../src/rotate/retire.ts';
import { rewrap } from '../../src/rotate/rewrap.ts';
import { rotateVolumeKey } from '../../src/rotate/volume-key.ts';
import { failureOf, volumeScratch } from '../fs/volume/volumes.ts';

const { open, root: newRoot } = volumeScratch();

const folders = ['', 'a/', 'b/', 'b/c/'] as const;
const names = ['1', '2', '3'] as const;

type Step =
  | { readonly kind: 'write' | 'immutable' | 'append' | 'edit' | 'remove'; readonly path: string }
  | { readonly kind: 'rename' | 'copy'; readonly path: string; readonly to: string }
  | { readonly kind: 'swap' }
  | { readonly kind: 'key' }
  | { readonly kind: 'rewrap'; readonly during: number; readonly stopAfter: number | undefined }
  | { readonly kind: 'retire' };

const path = fc
  .record({ folder: fc.constantFrom(...folders), name: fc.constantFrom(...names) })
  .map(({ folder, name }) => folder + name);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('write', 'immutable', 'append', 'edit', 'remove'),
      path,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('rename', 'copy'), path, to: path }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'swap' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'key' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('rewrap' as const),
      // Steps of the application that go on meanwhile.
      during: fc.nat(6),
      stopAfter: fc.option(fc.nat(30), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'retire' }) },
);

/** Ends a run in the middle: everything fails after so many calls, as when the process is killed. */
class Ending {
  left: number | undefined;
  readonly system: System;

  constructor() {
    const count = (): void => {
      if (this.left === undefined) return;
      if (this.left-- <= 0) throw Object.assign(new Error('ended'), { code: 'ENOSPC' });
    };
    this.system = {
      ...nodeSystem,
      open: async (at, flags, mode) => {
        // What others need: their locks.
        if (!at.includes('.volseal')) count();
        return nodeSystem.open(at, flags, mode);
      },
      writev: async (fd, parts, offset) => {
        count();
        return nodeSystem.writev(fd, parts, offset);
      },
    };
  }
}

class World {
  readonly content = new Map<string, string>();
  readonly app: Volume;
  readonly tool: Volume;
  readonly #ending: Ending;
  #serial = 0;

  constructor(app: Volume, tool: Volume, ending: Ending) {
    this.app = app;
    this.tool = tool;
    this.#ending = ending;
  }

  async apply(all: readonly Step[]): Promise<void> {
    for (let i = 0; i < all.length; i++) {
      const now = all[i] as Step;
      if (now.kind !== 'rewrap') {
        await this.#one(now);
        continue;
      }
      const meanwhile = all.slice(i + 1, i + 1 + now.during).filter((next) => isOfApplication(next));
      i += now.during;
      this.#ending.left = now.stopAfter;
      const run = rewrap(this.tool, { jobs: 3 }).then(
        (report) => report,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOSPC') throw error;
          return undefined;
        },
      );
      for (const next of meanwhile) await this.#one(next);
      const report = await run;
      this.#ending.left = undefined;
      if (report !== undefined) expect(report).toMatchObject({ failed: [], complete: true });
    }
  }

  async #one(now: Step): Promise<void> {
    const { app, content } = this;
    switch (now.kind) {
      case 'write':
      case 'immutable': {
        const text = `${this.#serial++} `.repeat(40 + (this.#serial % 3) * 900);
        await app.writeFile(now.path, text, { immutable: now.kind === 'immutable' });
        content.set(now.path, text);
        return;
      }
      case 'append':
        if (!content.has(now.path)) return;
        await app.appendFile(now.path, '+');
        content.set(now.path, `${content.get(now.path)}+`);
        return;
      case 'edit': {
        if (!content.has(now.path)) return;
        const handle = await app.open(now.path, 'r+');
        await handle.write('E', 1);
        await handle.sync();
        await handle.close();
        const before = content.get(now.path) as string;
        content.set(now.path, `${before.slice(0, 1)}E${before.slice(2)}`);
        return;
      }
      case 'remove':
        if (content.delete(now.path)) await app.unlink(now.path);
        return;
      case 'rename':
        if (!content.has(now.path) || now.path === now.to) return;
        await app.rename(now.path, now.to);
        content.set(now.to, content.get(now.path) as string);
        content.delete(now.path);
        return;
      case 'copy':
        if (!content.has(now.path) || now.path === now.to) return;
        await app.copyFile(now.path, now.to);
        content.set(now.to, content.get(now.path) as string);
        return;
      case 'swap':
        await this.#swapFolders();
        return;
      case 'key':
        await rotateVolumeKey(this.tool);
        await this.#noticed();
        return;
      case 'retire':
        return this.#retire();
      case 'rewrap':
        return;
    }
  }

  /** Everything in `a` and in `b` is the other way round. */
  async #swapFolders(): Promise<void> {
    const { app, content } = this;
    await app.rename('a', 't');
    await app.rename('b', 'a');
    await app.rename('t', 'b');
    const before = [...content];
    content.clear();
    for (const [at, text] of before)
      content.set(
        at.replace(/^[ab]\//, (from) => (from === 'a/' ? 'b/' : 'a/')),
        text,
      );
    for (const folder of ['a/c', 'b/c']) await app.ensureDir(folder);
  }

  /** What is needed is never destroyed. */
  async #retire(): Promise<void> {
    for (const { version, state } of this.tool.keyring.volumeKeys) {
      if (state !== 'active') continue;
      const id = `vk:${version}`;
      const [key] = (await audit(this.tool, { key: id })).keys;
      const result = retire(this.tool, id);
      if (key?.files === 0) await result;
      else expect(await failureOf(result)).toMatchObject({ code: 'ERR_VOLSEAL_ROTATION_REFUSED' });
      await this.#noticed();
    }
  }

  /** The application sees a new keyring sooner than by its timer. */
  async #noticed(): Promise<void> {
    await volumeInternals(this.app).mounted.holder.look();
  }

  async check(volume: Volume): Promise<void> {
    for (const [at, text] of this.content) expect(await volume.readFile(at, 'utf8')).toBe(text);
  }
}

function isOfApplication({ kind }: Step): boolean {
  return kind !== 'key' && kind !== 'rewrap' && kind !== 'retire';
}

describe('rotations and an application', () => {
  it('in any order: all data opens, and after a run that says it is done nothing is under an older key', {
    timeout: 600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), async (steps) => {
        const root = await newRoot();
        const ending = new Ending();
        const [app, tool] = [await open(root), await open(root, {}, ending.system)];
        try {
          for (const folder of ['a/c', 'b/c']) await app.ensureDir(folder);
          const world = new World(app, tool, ending);
          await world.apply(steps);
          await world.check(app);
          // To the end.
          await rotateVolumeKey(tool);
          await volumeInternals(app).mounted.holder.look();
          expect(await rewrap(tool)).toMatchObject({ failed: [], complete: true });
          expect(await audit(tool)).toMatchObject({ clean: true });
          for (const { version, state } of tool.keyring.volumeKeys) {
            if (state === 'active') {
              await retire(tool, `vk:${version}`);
              await volumeInternals(app).mounted.holder.look();
            }
          }
          const other = await open(root);
          await world.check(other);
          await other.close();
        } finally {
          await Promise.allSettled([app.close(), tool.close()]);
          rmSync(root, { recursive: true, force: true });
        }
      }),
      { numRuns: 60 },
    );
  });
});
