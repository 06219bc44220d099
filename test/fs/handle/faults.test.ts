/**
 * Every system call of opening, writing and closing fails once, in every way it can: an error or none, but no descriptor,
 * no lock and no temporary file is left, and the file holds what it held or what was written.
 */

import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import { nodeSystem } from '../../../src/os/node-system.ts';
import { scratch } from '../../sealed/scratch.ts';
import { type Call, type Fault, FaultySystem, faultsOf } from '../../simulator/faulty-system.ts';
import { SealedFiles } from './sealed-files.ts';

const { at, fresh } = scratch();
const original = at('original');

beforeAll(async () => {
  const files = await SealedFiles.in(original);
  await files.write('file', 'old');
  mkdirSync(files.at('directory'));
  await files.close();
});

interface Scenario {
  readonly name: string;
  run(files: SealedFiles): Promise<void>;
  /** What `file` may hold afterwards; undefined: there is none. */
  readonly contents: readonly (string | undefined)[];
}

const writing = (flags: string, file = 'file'): Scenario['run'] => {
  return async (files) => {
    const handle = await files.open(file, flags);
    try {
      await handle.write('new');
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
};

const scenarios: readonly Scenario[] = [
  {
    name: 'r',
    contents: ['old'],
    run: async (files) => {
      const handle = await files.open('file', 'r');
      try {
        await handle.readFile();
        await handle.stat();
      } finally {
        await handle.close();
      }
    },
  },
  { name: 'r+', contents: ['old', 'new'], run: writing('r+') },
  { name: 'a', contents: ['old', 'oldnew'], run: writing('a') },
  { name: 'w', contents: ['old', '', 'new'], run: writing('w') },
  { name: 'w of a new file', contents: ['old'], run: writing('w', 'other') },
  { name: 'wx of a new file', contents: ['old'], run: writing('wx', 'other') },
  { name: 'a of a new file', contents: ['old'], run: writing('a', 'other') },
  {
    name: 'a directory',
    contents: ['old'],
    run: async (files) => {
      const handle = await files.open('directory');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  },
  {
    name: 'a second handle that makes the file writable',
    contents: ['old', 'new'],
    run: async (files) => {
      const reader = await files.open('file', 'r');
      try {
        await writing('r+')(files);
      } finally {
        await reader.close();
      }
    },
  },
];

/** A lock that the system does not let go of stays taken until the process ends. */
function keepsLock({ name, path }: Call): boolean {
  return path.includes('/.volseal/locks/') && (name === 'lstat' || name === 'unlink');
}

/** A temporary file that the system does not remove is taken away later, by its name. */
function keepsTemporary(call: Call | undefined): boolean {
  return call?.name === 'unlink' && call.path.includes('/.volseal-tmp-');
}

/** Runs it in a copy of the volume with one fault; gives the calls that were made. */
async function runOnce(
  { contents, run }: Scenario,
  fault?: { number: number; fault: Fault },
): Promise<Call[]> {
  const root = fresh();
  cpSync(original, root, { recursive: true });
  const faulty = new FaultySystem(nodeSystem);
  const files = await SealedFiles.in(root, { system: faulty.system });
  const before = [...faulty.openDescriptors];
  faulty.decide(({ number }) => (number === fault?.number ? fault.fault : undefined));
  const failure: unknown = await run(files).then(
    () => undefined,
    (error: unknown) => error,
  );
  const calls = [...faulty.calls];
  faulty.decide(() => undefined);
  if (fault === undefined) expect(failure).toBeUndefined();
  else if (failure !== undefined) expect(failure).toBeInstanceOf(Error);
  expect(files.files.size).toBe(0);
  const kept = faulty.openDescriptors.filter((path) => !path.includes('/.volseal/'));
  expect(kept).toEqual(before.filter((path) => !path.includes('/.volseal/')));
  const left = readdirSync(root).filter((name) => name.startsWith('.volseal-'));
  expect(left.length).toBe(keepsTemporary(calls[(fault?.number ?? 0) - 1]) ? 1 : 0);
  const again = await SealedFiles.in(root);
  expect(contents).toContain(String(await again.read('file')));
  const other = await again.read('other').then(String, () => undefined);
  expect([undefined, '', 'new']).toContain(other);
  await files.close();
  expect(faulty.openDescriptors).toEqual([]);
  const writer = await again.open('file', 'r+');
  await writer.write('at last');
  await writer.close();
  expect(String(await again.read('file'))).toMatch(/^at last/);
  await again.close();
  rmSync(root, { recursive: true });
  return calls;
}

describe.each(scenarios)('$name', (scenario) => {
  test('without a fault, and with each', async () => {
    const calls = await runOnce(scenario);
    expect(calls.length).toBeGreaterThan(2);
    for (const call of calls.filter((each) => !keepsLock(each))) {
      for (const fault of faultsOf(call)) {
        const text = `call ${call.number}, ${call.name} ${join(call.path)}: ${JSON.stringify(fault)}`;
        await runOnce(scenario, { number: call.number, fault }).catch((error: unknown) => {
          throw new Error(`${text}: ${String(error)}`, { cause: error });
        });
      }
    }
  });
});
