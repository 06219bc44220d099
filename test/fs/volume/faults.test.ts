/**
 * Any system call of any function fails, or does half of what it should: the function fails with a code or does its work,
 * what was there stays, and nothing is left open.
 */

import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { initVolume } from '../../../src/index.ts';
import { openVolumeOn } from '../../../src/fs/volume/init.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import { type Call, type Fault, faultsOf, FaultySystem } from '../../simulator/faulty-system.ts';
import { keys, volumeScratch } from './volumes.ts';

const { fresh, open } = volumeScratch();
/** More than is read or written at a time. */
const large = Buffer.alloc(1_200_000, 'large ');

/** What must be there whatever fails: none of the functions removes it. */
const kept: Readonly<Record<string, string>> = {
  'kept/small': 'small',
  'kept/once': 'once',
  replaced: 'old',
};

interface Scenario {
  readonly run: (volume: Volume) => Promise<unknown>;
  /** What it may have made of `replaced`. */
  readonly newContent?: string;
  /** Whether it needs `large`. */
  readonly withLarge?: boolean;
}

const ended = (stream: NodeJS.EventEmitter & { end(data: unknown): unknown }, data: unknown): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.on('error', reject).on('close', resolve);
    stream.end(data);
  });

const scenarios: Readonly<Record<string, Scenario>> = {
  readFile: {
    run: async (v) => {
      expect(await v.readFile('kept/small', 'utf8')).toBe('small');
      expect(await v.readFile('kept/once', 'utf8')).toBe('once');
    },
  },
  'readFile of a large file': {
    withLarge: true,
    run: async (v) => expect((await v.readFile('large')).equals(large)).toBe(true),
  },
  writeFile: { run: (v) => v.writeFile('replaced', 'new'), newContent: 'new' },
  'writeFile of much': { run: (v) => v.writeFile('replaced', large), newContent: large.toString() },
  'writeFile in pieces': {
    run: (v) =>
      v.writeFile('replaced', [large.subarray(0, 500_000), large.subarray(500_000)], { immutable: true }),
    newContent: large.toString(),
  },
  'writeFile of a new file': {
    run: async (v) => {
      await v.writeFile('new', 'x', { flag: 'wx' });
      await v.outputFile('made/for/it', 'x');
    },
  },
  createWriteStream: { run: (v) => ended(v.createWriteStream('replaced'), 'new'), newContent: 'new' },
  createReadStream: {
    withLarge: true,
    run: async (v) => {
      const chunks: Buffer[] = [];
      for await (const chunk of v.createReadStream('large', { start: 1_100_000 }))
        chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(large.subarray(1_100_000))).toBe(true);
    },
  },
  entries: {
    run: async (v) => {
      expect((await v.stat('kept/small')).size).toBe(5);
      expect((await v.lstat('link')).isSymbolicLink()).toBe(true);
      expect((await v.lstat('kept/once')).size).toBe(4);
      await v.access('kept/small');
      expect(await v.realpath('link')).toBe('/kept/small');
      expect(await v.readlink('link')).toBe('kept/small');
      expect((await v.readdir('/', { recursive: true })).length).toBeGreaterThan(5);
    },
  },
  'changes of entries': {
    run: async (v) => {
      await v.chmod('replaced', 0o640);
      await v.chown('replaced', -1, -1);
      await v.utimes('replaced', 1, 2);
      await v.symlink('replaced', 'new-link');
      await v.mkdir('a/b/c', { recursive: true });
      await v.mkdtemp('t-');
    },
  },
  removal: {
    run: async (v) => {
      await v.rm('tree', { recursive: true });
      await v.emptyDir('tree');
      await v.unlink('link');
      await v.mkdir('empty');
      await v.rmdir('empty');
    },
  },
  'copies and moves': {
    run: async (v) => {
      await v.copyFile('kept/small', 'copied');
      await v.cp('tree/b', 'copied-tree', { recursive: true, preserveTimestamps: true });
      await v.rename('copied', 'renamed');
      await v.move('renamed', 'moved/here');
    },
  },
  'copy over': { run: (v) => v.copyFile('kept/once', 'replaced'), newContent: 'once' },
};

async function templateRoot(withLarge: boolean): Promise<string> {
  const path = fresh();
  mkdirSync(path);
  await initVolume(path, { keys, recovery: false });
  const volume = await open(path);
  for (const [name, content] of Object.entries(kept)) {
    await volume.outputFile(name, content, { immutable: name.endsWith('once') });
  }
  for (const name of ['tree/a', 'tree/b/c', 'tree/b/d']) await volume.outputFile(name, name);
  if (withLarge) await volume.writeFile('large', large);
  await volume.symlink('kept/small', 'link');
  await volume.symlink('../replaced', 'tree/link');
  await volume.close();
  return path;
}

interface Trial {
  readonly faulty: FaultySystem;
  readonly root: string;
  readonly error: unknown;
}

async function attempt(
  template: string,
  { run }: Scenario,
  decide: (call: Call) => Fault | undefined,
): Promise<Trial> {
  const root = fresh();
  cpSync(template, root, { recursive: true, verbatimSymlinks: true });
  pretendReboot();
  const faulty = new FaultySystem(nodeSystem);
  const volume = await openVolumeOn(faulty.system, root, { keys });
  faulty.decide(decide);
  let error: unknown;
  try {
    await run(volume);
  } catch (thrown) {
    error = thrown;
  }
  const calls = [...faulty.calls];
  faulty.decide(() => undefined);
  await volume.close();
  faulty.calls.push(...calls);
  return { faulty, root, error };
}

async function checkKept(root: string, where: string, newContent: string | undefined): Promise<void> {
  pretendReboot();
  const volume = await open(root);
  for (const [name, content] of Object.entries(kept)) {
    const found = await volume.readFile(name, 'utf8');
    const fits = found === content || (name === 'replaced' && found === newContent);
    expect(fits, `${where}: ${name} is ${found.slice(0, 20)}`).toBe(true);
  }
  await volume.close();
}

describe('a fault at any call of', () => {
  test.each(Object.keys(scenarios))('%s', async (name) => {
    const scenario = scenarios[name] as Scenario;
    const template = await templateRoot(scenario.withLarge ?? false);
    const clean = await attempt(template, scenario, () => undefined);
    expect(clean.error).toBeUndefined();
    // Those of closing the volume come first.
    const calls = clean.faulty.calls.filter(
      (call, index, all) => index >= all.findLastIndex(({ number }) => number === 1),
    );
    expect(calls.length).toBeGreaterThan(2);
    let failures = 0;
    for (const call of calls) {
      for (const fault of faultsOf(call)) {
        const where = `call ${call.number}, ${call.name}: ${JSON.stringify(fault)}`;
        const { error, faulty, root } = await attempt(template, scenario, ({ name: called, number }) =>
          // What goes on in the background can change the order: a fault is for the call that it was made for.
          number === call.number && called === call.name ? fault : undefined,
        );
        expect(faulty.openDescriptors, where).toEqual([]);
        if (error !== undefined) {
          failures++;
          const { code, message, path } = error as NodeJS.ErrnoException;
          expect(code, `${where}: ${message}`).toMatch(/^(E[A-Z]+|ERR_VOLSEAL_[A-Z_]+)$/);
          // Never a path of the host.
          expect(`${message} ${path}`).not.toContain(root);
          expect(`${message} ${path}`).not.toContain('/proc/');
        }
        await checkKept(root, where, scenario.newContent);
        const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
        const leftovers = names.filter((entry) => entry.includes('.volseal-tmp-'));
        // Only when it could not be removed either, or the system said it did not happen what did.
        if (call.name !== 'unlink' && fault !== 'short' && (fault as { when?: string }).when === 'before') {
          expect(leftovers, where).toEqual([]);
        }
        rmSync(root, { recursive: true });
      }
    }
    expect(failures).toBeGreaterThan(1);
  });
});
