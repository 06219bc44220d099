/** A volume whose system fails, at each of its calls in turn: an error, nothing open, and nothing lost. */

import { describe, expect, it } from 'vitest';

import { initVolumeOn, openVolumeOn } from '../../../src/fs/volume/init.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import type { DiskImage } from '../../simulator/disk.ts';
import { type Call, type Fault, faultsOf, FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import {
  type Action,
  append,
  copy,
  create,
  dataOf,
  emptied,
  ensureDir,
  Expected,
  keys,
  put,
  rename,
  root,
  segmentBytes,
  type Tree,
  treeOf,
  truncate,
  unlink,
  writeAt,
} from './actions.ts';

const small = dataOf('s', 500);
const large = dataOf('l', 10_000);

const read: Action = {
  label: 'read d/old',
  run: async (volume) => {
    const stream = volume.createReadStream('d/old', { start: 10 });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    if (Buffer.concat(chunks).length === 0) throw new Error('nothing was read');
    await volume.stat('d/old');
    await volume.readdir('.', { recursive: true });
  },
  changes: () => [],
};

const scenarios: [string, readonly Action[]][] = [
  ['whole files', [put('d/new', small), put('d/old', large), put('d/once', small, true), read]],
  [
    'files in place',
    [append('d/old', large), writeAt('d/old', small, 3_900), truncate('d/old', 4_000), read],
  ],
  ['handles', [create('d/new'), emptied('d/old'), append('d/once', small)]],
  [
    'names',
    [rename('d/old', 'd/new'), rename('d/new', 'e/new'), copy('e/new', 'x'), ensureDir('y/z'), unlink('x')],
  ],
];

async function startingDisk(): Promise<{ image: DiskImage; tree: Tree }> {
  const system = new SimulatedSystem();
  await system.mkdir(root);
  await initVolumeOn(system, root, { keys, recovery: false, policy: { segmentBytes } });
  const volume = await openVolumeOn(system, root, { keys });
  for (const { run } of [
    ensureDir('d'),
    ensureDir('e'),
    put('d/old', dataOf('o', 5_000)),
    put('d/once', large, true),
  ]) {
    await run(volume);
  }
  const tree = await treeOf(volume);
  await volume.close();
  return { image: system.image(), tree };
}

interface Trial {
  readonly faulty: FaultySystem;
  readonly done: number;
  readonly error: Error | undefined;
}

async function attempt(
  disk: SimulatedSystem,
  actions: readonly Action[],
  fault: (call: Call) => Fault | undefined,
): Promise<Trial> {
  const faulty = new FaultySystem(disk, fault);
  let done = 0;
  let error: Error | undefined;
  let volume: Volume | undefined;
  try {
    volume = await openVolumeOn(faulty.system, root, { keys });
    for (const { run } of actions) {
      await run(volume);
      done++;
    }
  } catch (thrown) {
    error = thrown as Error;
  }
  // Streams that failed close what they had open a little later.
  await volume?.close().catch((thrown: unknown) => {
    error ??= thrown as Error;
  });
  return { faulty, done, error };
}

describe('a volume', () => {
  it.each(scenarios)('%s: any call may fail', async (_, actions) => {
    const { image, tree } = await startingDisk();
    const expected = new Expected(tree, actions);
    const clean = await attempt(new SimulatedSystem(image), actions, () => undefined);
    expect(clean.error).toBeUndefined();
    let failed = 0;
    for (const call of clean.faulty.calls) {
      for (const fault of faultsOf(call)) {
        const where = `call ${call.number}, ${call.name} ${call.path}: ${JSON.stringify(fault)}`;
        pretendReboot();
        const disk = new SimulatedSystem(image);
        const { done, error, faulty } = await attempt(disk, actions, ({ number }) =>
          number === call.number ? fault : undefined,
        );
        expect(faulty.openDescriptors, `${where}: ${String(error)}`).toEqual([]);
        if (error !== undefined) {
          failed++;
          expect((error as NodeJS.ErrnoException).code, `${where}: ${String(error)}`).toMatch(
            /^(E[A-Z]+|ERR_VOLSEAL_.*)$/,
          );
        }
        pretendReboot();
        try {
          const volume = await openVolumeOn(disk, root, { keys });
          expected.check(done, await treeOf(volume));
          await volume.close();
        } catch (cause) {
          throw new Error(`${where}: ${String(error)}`, { cause });
        }
        expect(disk.openDescriptors, where).toEqual([]);
      }
    }
    expect(failed).toBeGreaterThan(20);
  });

  it('a full disk: what does not fit is refused, what is there stays, and room helps', async () => {
    const { image } = await startingDisk();
    const used = [...image.nodes.values()].reduce(
      (sum, node) => sum + (node.kind === 'file' ? node.content.length : 0),
      0,
    );
    const disk = new SimulatedSystem(image, { capacityBytes: used + 20_000 });
    const volume = await openVolumeOn(disk, root, { keys });
    const huge = dataOf('h', 60_000);
    await expect(volume.writeFile('d/old', huge)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(volume.appendFile('d/old', huge)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(((await volume.readFile('d/old')) as Buffer).subarray(0, 5_000).equals(dataOf('o', 5_000))).toBe(
      true,
    );
    await volume.unlink('d/once');
    await volume.writeFile('d/small', small);
    const handle = await volume.open('d/old', 'r+');
    await handle.write('fits', 0);
    await handle.sync();
    await handle.close();
    await volume.close();
    expect(disk.openDescriptors).toEqual([]);
  });
});
