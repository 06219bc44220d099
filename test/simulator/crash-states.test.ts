/** Exactly the states that there are, for operations few enough to list them by hand. */

import { constants } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { System } from '../../src/os/system.ts';
import { CrashPoints } from './crash-states.ts';
import { type DiskImage, pathsOf } from './disk.ts';
import type { NameOrder } from './point-of-crash.ts';
import { SeededRandom } from './random.ts';
import { SimulatedSystem } from './simulated-system.ts';

const { O_CREAT, O_RDONLY, O_RDWR } = constants;
const sector = (value: string): string => value.repeat(512);

/** Each file with its content, runs of 512 equal characters as one, and each directory. */
function show(image: DiskImage): string {
  const shown: string[] = [];
  for (const [id, path] of pathsOf(image)) {
    const node = image.nodes.get(id);
    if (node?.kind === 'directory' && path !== '/') shown.push(`${path.slice(1)}/`);
    if (node?.kind !== 'file') continue;
    const text = Buffer.from(node.content).toString('latin1').replaceAll('\0', '_');
    shown.push(`${path.slice(1)}=${text.replaceAll(/(.)\1{511}/g, '$1')}`);
  }
  return shown.toSorted().join(' ');
}

interface Disk {
  readonly setup?: (system: System) => Promise<unknown>;
  readonly run: (system: SimulatedSystem) => Promise<unknown>;
  readonly nameOrder?: NameOrder;
  readonly statesPerPoint?: number;
}

/** The states after all of the operations. */
async function statesAfter({
  setup,
  run,
  nameOrder = 'ordered',
  statesPerPoint = 10_000,
}: Disk): Promise<string[]> {
  const system = new SimulatedSystem();
  await setup?.(system);
  const base = system.image();
  const operations = system.record();
  await run(system);
  const points = new CrashPoints(base, operations, { sectorBytes: 512, nameOrder, ignoreNames: () => false });
  const states = points.at(operations.length).states(statesPerPoint, new SeededRandom(7));
  const shown = [...states].map(({ image }) => show(image));
  expect(new Set(shown).size).toBe(shown.length);
  return shown.toSorted();
}

async function put(system: System, path: string, text: string, at = 0): Promise<number> {
  const fd = await system.open(path, O_RDWR | O_CREAT);
  if (text !== '') await system.writev(fd, [Buffer.from(text)], at);
  return fd;
}

async function syncRoot(system: System): Promise<void> {
  const fd = await system.open('/', O_RDONLY);
  await system.fsync(fd);
  await system.close(fd);
}

const two = (system: System): Promise<number> => put(system, '/f', sector('a') + sector('b'));

describe('content', () => {
  it('a write: each of its sectors or not', async () => {
    const run = (system: System): Promise<unknown> => put(system, '/f', sector('x') + sector('y'));
    expect(await statesAfter({ setup: two, run })).toEqual(['f=ab', 'f=ay', 'f=xb', 'f=xy']);
  });

  it('two writes: each sector as it was, or after one of them', async () => {
    const run = async (system: System): Promise<unknown> => {
      await put(system, '/f', sector('x') + sector('y'));
      return put(system, '/f', sector('z'), 512);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=ab', 'f=ay', 'f=az', 'f=xb', 'f=xy', 'f=xz']);
  });

  it('synced: as it is', async () => {
    const run = async (system: System): Promise<unknown> => {
      const fd = await put(system, '/f', sector('x') + sector('y'));
      await system.fdatasync(fd);
      return system.writev(fd, [Buffer.from(sector('z'))], 0);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=xy', 'f=zy']);
  });

  it('a write that the sync did not wait for is not synced', async () => {
    const run = async (system: System): Promise<unknown> => {
      const fd = await put(system, '/f', '');
      return Promise.all([system.writev(fd, [Buffer.from(sector('x'))], 0), system.fdatasync(fd)]);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=ab', 'f=xb']);
  });

  it('an append: size and content apart', async () => {
    const run = (system: System): Promise<unknown> => put(system, '/f', `${sector('x')}y`, 1_024);
    expect(await statesAfter({ setup: two, run })).toEqual(['f=ab', 'f=ab__', 'f=ab_y', 'f=abx_', 'f=abxy']);
  });

  it('a sector that is written in part keeps the rest', async () => {
    const run = async (system: System): Promise<unknown> => {
      const fd = await put(system, '/f', 'xx', 1_023);
      return system.fdatasync(fd);
    };
    expect(await statesAfter({ setup: two, run })).toEqual([`f=a${'b'.repeat(511)}xx`]);
  });

  it('a truncation that happened does not give back what it cut off', async () => {
    const run = async (system: System): Promise<unknown> => {
      const fd = await put(system, '/f', '');
      await system.ftruncate(fd, 512);
      return system.ftruncate(fd, 1_024);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=a', 'f=a_', 'f=ab']);
  });

  it('what was written after a truncation is there only with the truncation', async () => {
    const run = async (system: System): Promise<unknown> => {
      const fd = await put(system, '/f', '');
      await system.ftruncate(fd, 512);
      return system.writev(fd, [Buffer.from(sector('x'))], 512);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=a', 'f=a_', 'f=ab', 'f=ax']);
  });
});

describe('a sync that failed', () => {
  const failing = async (system: SimulatedSystem): Promise<number> => {
    const fd = await put(system, '/f', sector('x'));
    system.failSync(fd);
    return fd;
  };

  it('leaves old or new, and a later sync changes nothing about it', async () => {
    const run = async (system: SimulatedSystem): Promise<unknown> => {
      const fd = await failing(system);
      await system.writev(fd, [Buffer.from(sector('y'))], 512);
      return system.fsync(fd);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=ay', 'f=xy']);
  });

  it('what is written again and synced is there', async () => {
    const run = async (system: SimulatedSystem): Promise<unknown> => {
      const fd = await failing(system);
      await system.writev(fd, [Buffer.from('z')], 3);
      return system.fsync(fd);
    };
    expect(await statesAfter({ setup: two, run })).toEqual([`f=xxxz${'x'.repeat(508)}b`]);
  });
});

describe('names', () => {
  const created = async (system: System): Promise<unknown> => {
    await put(system, '/g', '');
    await put(system, '/h', '');
    return put(system, '/i', '');
  };

  it('in order: none without those before it', async () => {
    expect(await statesAfter({ run: created })).toEqual(['', 'g=', 'g= h=', 'g= h= i=']);
  });

  it('in any order', async () => {
    const states = await statesAfter({ run: created, nameOrder: 'any' });
    expect(states).toEqual(['', 'g=', 'g= h=', 'g= h= i=', 'g= i=', 'h=', 'h= i=', 'i=']);
  });

  it('a rename: all of it or nothing', async () => {
    const run = (system: System): Promise<unknown> => system.rename('/g', '/f');
    const setup = async (system: System): Promise<unknown> => {
      await two(system);
      return put(system, '/g', sector('x'));
    };
    for (const nameOrder of ['ordered', 'any'] as const) {
      expect(await statesAfter({ setup, run, nameOrder })).toEqual(['f=ab g=x', 'f=x']);
    }
  });

  it('a file that was synced may be without its name; synced too, the name stays', async () => {
    const run = async (system: System): Promise<unknown> => {
      const fd = await put(system, '/g', sector('x'));
      return system.fsync(fd);
    };
    expect(await statesAfter({ run })).toEqual(['', 'g=x']);
    const both = async (system: System): Promise<unknown> => {
      await run(system);
      await syncRoot(system);
      return system.unlink('/g');
    };
    expect(await statesAfter({ run: both, nameOrder: 'any' })).toEqual(['', 'g=x']);
  });

  it('a name that was synced before its content', async () => {
    const run = async (system: System): Promise<unknown> => {
      await put(system, '/g', `${sector('x')}y`);
      return syncRoot(system);
    };
    expect(await statesAfter({ run })).toEqual(['g=', 'g=__', 'g=_y', 'g=x_', 'g=xy']);
  });

  it('replacing by rename without a sync: the new name may show half of the content', async () => {
    const run = async (system: System): Promise<unknown> => {
      await put(system, '/t', sector('x'));
      await system.rename('/t', '/f');
      return syncRoot(system);
    };
    expect(await statesAfter({ setup: two, run })).toEqual(['f=', 'f=_', 'f=x']);
  });

  it('a directory and what is in it', async () => {
    const run = async (system: System): Promise<unknown> => {
      await system.mkdir('/d');
      const fd = await put(system, '/d/f', 'x');
      return system.fsync(fd);
    };
    expect(await statesAfter({ run })).toEqual(['', 'd/', 'd/ d/f=x']);
  });
});

it('too many to try them all: nothing, everything, whole writes, and random ones up to the limit', async () => {
  const run = async (system: System): Promise<unknown> => {
    await put(system, '/f', 'x'.repeat(8_192));
    return put(system, '/f', 'y'.repeat(8_192));
  };
  const states = await statesAfter({
    setup: (system) => put(system, '/f', 'a'.repeat(8_192)),
    run,
    statesPerPoint: 200,
  });
  expect(states.length).toBeGreaterThan(150);
  expect(states.length).toBeLessThanOrEqual(200);
  for (const letter of 'axy') expect(states).toContain(`f=${letter.repeat(16)}`);
});
