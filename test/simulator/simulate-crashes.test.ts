/** The simulator finds what can go wrong, and does not find what cannot. */

import { describe, expect, it } from 'vitest';

import type { System } from '../../src/os/system.ts';
import { CrashError, simulateCrashes } from './simulate-crashes.ts';
import { type Flaw, makeLog, readBlock, recover, update } from './tiny-log.ts';

function tinyLog(flaw?: Flaw, crashRecovery = true): Parameters<typeof simulateCrashes<void, number>>[0] {
  return {
    setup: makeLog,
    async run(system, _setup, acknowledge) {
      for (let value = 1; value <= 3; value++) await update(system, value, () => acknowledge(value), flaw);
    },
    async check(system, acknowledged) {
      await recover(system, flaw);
      const value = await readBlock(system);
      const last = acknowledged.at(-1) ?? 0;
      expect(value).toBeGreaterThanOrEqual(last);
      expect(value).toBeLessThanOrEqual(last + 1);
    },
    ...(crashRecovery && { recover: (system: System) => recover(system, flaw) }),
    seed: 1,
    states: 4_000,
  };
}

describe('a log', () => {
  it('done right survives every crash', async () => {
    const report = await simulateCrashes(tinyLog());
    expect(report).toMatchObject({ exhaustive: true, seed: 1 });
    expect(report.states).toBeGreaterThan(100);
    expect(report.recoveries).toBeGreaterThan(10);
    expect(await simulateCrashes(tinyLog())).toEqual(report);
  });

  const flaws: Flaw[] = [
    'log not synced',
    'synced while writing',
    'in place before the log',
    'log dropped before the data is synced',
    'no checksum',
  ];
  it.each(flaws)('%s: found', async (flaw) => {
    await expect(simulateCrashes(tinyLog(flaw))).rejects.toThrow(CrashError);
  });

  it('a flaw of the recovery shows only when that crashes too', async () => {
    const flaw = 'recovery drops the log before the data is synced';
    await expect(simulateCrashes(tinyLog(flaw, false))).resolves.toMatchObject({ recoveries: 0 });
    await expect(simulateCrashes(tinyLog(flaw))).rejects.toThrow('then, while recovering:');
  });

  it('says after what it crashed, and what was missing on the disk', async () => {
    const error = await simulateCrashes(tinyLog('log not synced')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CrashError);
    const { message, cause } = error as CrashError;
    expect(cause).toMatchObject({ name: 'AssertionError' });
    expect(message).toMatch(/crash after \d+ of \d+ operations:\n {2}/);
    expect(message).toMatch(/missing on the disk:\n {2}.*\(\d+ write 3104 at 0 of \/log\)/);
    expect(message).toMatch(/state \d+ of seed 1$/);
  });
});

it('what the check leaves open is an error', async () => {
  const scenario = tinyLog();
  const leaking = {
    ...scenario,
    check: async (system: System) => {
      await system.open('/data', 0);
    },
  };
  await expect(simulateCrashes(leaking)).rejects.toThrow('left open: /data');
});
