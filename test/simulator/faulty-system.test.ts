import { constants } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { faultsOf, FaultySystem } from './faulty-system.ts';
import { SimulatedSystem } from './simulated-system.ts';

const flags = constants.O_CREAT | constants.O_RDWR;

describe('a faulty system', () => {
  it('counts calls, and knows what is open', async () => {
    const faulty = new FaultySystem(new SimulatedSystem());
    const { system } = faulty;
    const fd = await system.open('/a', flags);
    await system.writev(fd, [Uint8Array.of(1)], 0);
    expect(faulty.calls).toEqual([
      { number: 1, name: 'open', path: '/a', flags },
      { number: 2, name: 'writev', path: '/a', flags: 0 },
    ]);
    expect(faulty.openDescriptors).toEqual(['/a']);
    await system.close(fd);
    expect(faulty.openDescriptors).toEqual([]);
  });

  it('fails before or after the effect', async () => {
    const inner = new SimulatedSystem();
    const faulty = new FaultySystem(inner, ({ name }) =>
      name === 'mkdir'
        ? { code: 'ENOSPC', when: 'before' }
        : name === 'open'
          ? { code: 'EIO', when: 'after' }
          : undefined,
    );
    await expect(faulty.system.mkdir('/d')).rejects.toMatchObject({ code: 'ENOSPC', path: '/d' });
    await expect(inner.stat('/d')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(faulty.system.open('/a', flags)).rejects.toMatchObject({ code: 'EIO', syscall: 'open' });
    await expect(inner.stat('/a')).resolves.toMatchObject({ size: 0n });
  });

  it('reads and writes half', async () => {
    const faulty = new FaultySystem(new SimulatedSystem(), ({ name }) =>
      name === 'read' || name === 'writev' ? 'short' : undefined,
    );
    const { system } = faulty;
    const fd = await system.open('/a', flags);
    expect(await system.writev(fd, [Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5)], 0)).toBe(3);
    const target = new Uint8Array(8);
    expect(await system.read(fd, target, 0, 8, 0)).toBe(3);
    expect(await system.read(fd, target, 4, 2, 0)).toBe(1);
    expect([...target]).toEqual([1, 2, 3, 0, 1, 0, 0, 0]);
  });

  it('claims to have done what it has not', async () => {
    const inner = new SimulatedSystem();
    const faulty = new FaultySystem(inner, ({ name }) => (name === 'fsync' ? 'skip' : undefined));
    const fd = await faulty.system.open('/a', flags);
    const operations = inner.record();
    await faulty.system.fsync(fd);
    expect(operations).toEqual([]);
    await faulty.system.fdatasync(fd);
    expect(operations).toHaveLength(1);
  });

  it('has faults for every call', () => {
    expect(faultsOf({ number: 1, name: 'open', path: '/a', flags }).length).toBeGreaterThan(2);
    expect(faultsOf({ number: 1, name: 'close', path: '/a', flags: 0 })).toEqual([
      { code: 'EIO', when: 'after' },
    ]);
  });
});
