/**
 * Engines that are broken on purpose: the simulation has to find every one of them, or it would not find a mistake either.
 * Some are the real engine over a system that does not keep its word, some have a changed part.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { SyncRecord } from '../../../src/fs/journal/format.ts';
import type * as journalWriter from '../../../src/fs/journal/journal-writer.ts';
import type { Keyring } from '../../../src/keyring/keyring.ts';
import type { System } from '../../../src/os/system.ts';
import { type Call, FaultySystem } from '../../simulator/faulty-system.ts';
import { CrashError, type CrashReport } from '../../simulator/simulate-crashes.ts';
import {
  journalDirectory,
  makeKeyring,
  path,
  plainSegmentBytes as whole,
  segmentBytes,
  type Step,
} from './files.ts';
import { append, checkpoint, crash, reopen, sync, truncate, write } from './steps.ts';

const keyring: Keyring = await makeKeyring();
const regionBytes = 4_096;

/** Done by the journal before it writes a record. */
const hook = vi.hoisted(() => ({
  beforeRecord: undefined as ((record: SyncRecord) => Promise<void>) | undefined,
}));

vi.mock('../../../src/fs/journal/journal-writer.ts', async (importOriginal) => {
  const original = await importOriginal<typeof journalWriter>();
  class HookedJournalWriter extends original.JournalWriter {
    override async append(record: SyncRecord): Promise<void> {
      await hook.beforeRecord?.(record);
      return super.append(record);
    }
  }
  return { ...original, JournalWriter: HookedJournalWriter };
});

beforeEach(() => {
  hook.beforeRecord = undefined;
});

const steps: Step[] = [
  write(10, 50),
  sync,
  append(whole),
  sync,
  checkpoint,
  write(whole - 5, 10),
  sync,
  truncate(whole + 3),
  sync,
  write(1, 1),
  reopen,
  append(300),
  sync,
];
const before: Step[] = [append(2 * whole + 1_000)];

const run = (through: (system: System) => System, states = 600): Promise<CrashReport> =>
  crash(keyring, { before, steps, states, through });

/** A system that skips some of its syncs. */
const skipping =
  (isSkipped: (call: Call) => boolean) =>
  (inner: System): System =>
    new FaultySystem(inner, (call) => (isSkipped(call) ? 'skip' : undefined)).system;

const isSync = ({ name }: Call): boolean => name === 'fdatasync' || name === 'fsync';

describe('found', () => {
  it('a commit without a sync of the journal', async () => {
    const deaf = skipping((call) => isSync(call) && call.path.startsWith(`${journalDirectory}/`));
    await expect(run(deaf)).rejects.toThrow(CrashError);
  });

  it('a journal whose name is not synced', async () => {
    const deaf = skipping((call) => isSync(call) && call.path === journalDirectory);
    await expect(run(deaf)).rejects.toThrow(CrashError);
  });

  it('a checkpoint that removes the journal without syncing what it put in place', async () => {
    const deaf = skipping((call) => isSync(call) && call.path === path);
    await expect(run(deaf)).rejects.toThrow(CrashError);
  });

  it('a checkpoint that syncs what it put in place after it removed the journal', async () => {
    const late = (inner: System): System => {
      let owed: number | undefined;
      const isJournal = (name: string): boolean => name.startsWith(`${journalDirectory}/`);
      return new Proxy(inner, {
        get(target, name) {
          if (name === 'fdatasync') {
            return async (fd: number) => {
              if ((await target.pathOf(fd)) === path) owed = fd;
              else await target.fdatasync(fd);
            };
          }
          const method = Reflect.get(target, name, target) as (...args: unknown[]) => Promise<unknown>;
          return async (...args: unknown[]) => {
            const settles =
              (name === 'unlink' && isJournal(String(args[0]))) ||
              (name === 'ftruncate' && isJournal(String(await target.pathOf(args[0] as number)))) ||
              name === 'close';
            const fd = owed;
            if (name === 'close' && settles && fd !== undefined) await target.fdatasync(fd);
            const result = await method.apply(target, args);
            if (name !== 'close' && settles && fd !== undefined) await target.fdatasync(fd);
            if (settles) owed = undefined;
            return result;
          };
        },
      });
    };
    await expect(run(late)).rejects.toThrow(CrashError);
  });

  it('new segments behind the end that are not synced before the record that makes them count', async () => {
    let sawHeader = false;
    const deaf = (inner: System): System => {
      const faulty = new FaultySystem(inner, (call) => {
        if (call.path !== path) return undefined;
        if (call.name === 'fdatasync' && !sawHeader) return 'skip';
        sawHeader = false;
        return undefined;
      });
      return new Proxy(faulty.system, {
        get(target, name) {
          const method = Reflect.get(target, name, target) as (...args: unknown[]) => Promise<unknown>;
          return (...args: unknown[]) => {
            const done = method.apply(target, args);
            if (name === 'writev' && (args[2] as number) < regionBytes) sawHeader = true;
            return done;
          };
        },
      });
    };
    await expect(run(deaf)).rejects.toThrow(CrashError);
  });

  it('segments in place before the record', async () => {
    let disk: System | undefined;
    hook.beforeRecord = async ({ segments }) => {
      const system = disk as System;
      const fd = await system.open(path, 2);
      for (const { index, parts } of segments) {
        await system.writev(fd, parts, regionBytes + index * segmentBytes);
      }
      await system.close(fd);
    };
    await expect(
      run((system) => {
        disk = system;
        return system;
      }),
    ).rejects.toThrow(CrashError);
  });

  it('a truncation in place before the record', async () => {
    let disk: System | undefined;
    hook.beforeRecord = async ({ bodyBytes }) => {
      const system = disk as System;
      const fd = await system.open(path, 2);
      const { size } = await system.fstat(fd);
      if (regionBytes + bodyBytes < size) await system.ftruncate(fd, regionBytes + bodyBytes);
      await system.close(fd);
    };
    await expect(
      run((system) => {
        disk = system;
        return system;
      }),
    ).rejects.toThrow(CrashError);
  });
});

it('nothing in the engine as it is', async () => {
  const report = await run((system) => new FaultySystem(system).system, 400);
  expect(report.states).toBeGreaterThan(300);
});
