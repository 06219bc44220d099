/** What dead writers leave behind, and what the next ones make of it (docs/format/journal-v1.md §6 and §7). */

import { channel } from 'node:diagnostics_channel';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { pretendReboot } from '../../../src/os/process-identity.ts';
import { FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { contentOf, expectSame, pattern, SealedVolume } from './sealed-volume.ts';

const start = pattern(30_000);
const segmentBytes = 4_096;

let warnings: { code: string; message: string; path?: string }[] = [];
const listen = (message: unknown): void => {
  warnings.push(message as (typeof warnings)[number]);
};
beforeEach(() => {
  warnings = [];
  channel('volseal:warning').subscribe(listen);
});
afterEach(() => {
  channel('volseal:warning').unsubscribe(listen);
});

/** The volume as it is after its process was killed: what the kernel had is there. */
function killed(v: SealedVolume): SealedVolume {
  pretendReboot();
  return v.sibling({}, new SimulatedSystem((v.system as SimulatedSystem).image()));
}

interface Left {
  readonly v: SealedVolume;
  readonly synced: Buffer;
  readonly journal: string;
}

/** A file with a pending journal of `syncs` records, whose writer is dead. */
async function left(syncs = 3): Promise<Left> {
  const v = await SealedVolume.create('/v', new SimulatedSystem());
  await v.make('f', start, { segmentBytes });
  const file = await v.open('f');
  for (let i = 0; i < syncs; i++) {
    await file.write(pattern(50, i), 0, 50, 7_000 * i);
    await file.append(pattern(100, i), 0, 100);
    await file.sync();
  }
  const synced = await contentOf(file);
  await file.write(pattern(50, 99), 0, 50, 0); // never synced
  const after = killed(v);
  const [journal] = await after.journals();
  return { v: after, synced, journal: journal as string };
}

describe('a pending journal', () => {
  it('is laid over the file by a reader, who changes nothing', async () => {
    const { journal, synced, v } = await left();
    const before = [await v.raw('f'), await v.raw(journal)];
    expectSame(await v.content('f'), synced);
    expect([await v.raw('f'), await v.raw(journal)]).toEqual(before);
    expect(warnings).toEqual([]);
  });

  it('is put in place by a writer, and removed', async () => {
    const { synced, v } = await left();
    const file = await v.open('f');
    expect(await v.journals()).toEqual([]);
    expectSame(await contentOf(file), synced);
    expect(file.header.state.syncSeq).toBe(3);
    await file.close();
    expectSame(await v.content('f'), synced);
    expect((await v.raw('f')).length).toBe(4_096 + file.header.state.bodyBytes);
  });

  it('counts up to its last whole record', async () => {
    const { journal, synced, v } = await left();
    const whole = await v.raw(journal);
    const written = whole.subarray(0, whole.findLastIndex((byte) => byte !== 0) + 1);
    await v.putRaw(journal, written.subarray(0, -1));
    const torn = await v.content('f');
    expect(torn.length).toBe(synced.length - 100);
    const file = await v.open('f');
    expectSame(await contentOf(file), torn);
    await file.close();
    expect(warnings).toEqual([]);
  });

  it('that was changed is an error for readers and writers, and stays as it is', async () => {
    const { journal, v } = await left();
    const bytes = await v.raw(journal);
    bytes[200] = (bytes[200] as number) ^ 1;
    await v.putRaw(journal, bytes);
    const tampered = { code: 'ERR_VOLSEAL_JOURNAL_TAMPERED', path: 'f' };
    await expect(v.open('f', false)).rejects.toMatchObject(tampered);
    await expect(v.open('f')).rejects.toMatchObject(tampered);
    expect(await v.raw(journal)).toEqual(bytes);
    expect(await v.locks()).toEqual([]);
    expect((v.system as SimulatedSystem).openDescriptors).toEqual([]);
  });

  it('that may not be read is an error: nobody knows what the file holds', async () => {
    const { v } = await left();
    const faulty = new FaultySystem(v.system, ({ name, path }) =>
      name === 'open' && path.includes('/journal/') ? { code: 'EACCES', when: 'before' } : undefined,
    );
    const denied = v.sibling({}, faulty.system);
    await expect(denied.open('f', false)).rejects.toMatchObject({ code: 'EACCES' });
    await expect(denied.open('f')).rejects.toMatchObject({ code: 'EACCES' });
    expect(faulty.openDescriptors).toEqual([]);
    expect(await v.locks()).toEqual([]);
  });

  it('of a later format version is refused', async () => {
    const { journal, v } = await left();
    const bytes = (await v.raw(journal)).subarray(0, 100);
    bytes.writeUInt16BE(2, 8);
    bytes.fill(1, 64);
    await v.putRaw(journal, bytes);
    await expect(v.open('f', false)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_UNSUPPORTED_VERSION' });
    await expect(v.open('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_UNSUPPORTED_VERSION' });
  });

  it('older than the file is ignored, reported, and removed by a writer', async () => {
    const { journal, v } = await left();
    const old = await v.raw(journal);
    const file = await v.open('f');
    await file.append(pattern(5), 0, 5);
    const expected = await contentOf(file);
    await file.close();
    await v.putRaw(journal, old);
    expectSame(await v.content('f'), expected);
    expect(warnings).toMatchObject([{ code: 'journal-ignored', path: 'f' }]);
    const again = await v.open('f');
    expectSame(await contentOf(again), expected);
    await again.close();
    expect(warnings).toHaveLength(2);
    expect(await v.journals()).toEqual([]);
  });

  it('exactly as new as the file is applied again, which changes nothing', async () => {
    const { journal, synced, v } = await left();
    const bytes = await v.raw(journal);
    await (await v.open('f')).close();
    // Its removal was not durable, and what was appended since was not synced.
    await v.putRaw(journal, bytes);
    await v.putRaw('f', Buffer.concat([await v.raw('f'), Buffer.alloc(9_000, 1)]));
    expectSame(await v.content('f'), synced);
    const file = await v.open('f');
    expectSame(await contentOf(file), synced);
    await file.close();
    expect(warnings).toEqual([]);
  });

  it('of another file is ignored, reported, and removed by a writer', async () => {
    const { journal, v } = await left();
    await v.make('g', start, { segmentBytes });
    const other = await v.open('g');
    await other.append(pattern(9), 0, 9);
    await other.sync();
    const journals = await v.journals();
    const foreign = await v.raw(journals.find((name) => name !== journal) as string);
    await other.close();
    await v.putRaw(journal, foreign);
    expectSame(await v.content('f'), start);
    expect(warnings).toMatchObject([{ code: 'journal-ignored', path: 'f' }]);
    const file = await v.open('f');
    await file.append(pattern(9), 0, 9);
    await file.close();
    expectSame(await v.content('f'), Buffer.concat([start, pattern(9)]));
  });

  it('that is empty, or only begun, is no journal', async () => {
    const { journal, v } = await left();
    for (const bytes of [Buffer.alloc(0), (await v.raw(journal)).subarray(0, 64), Buffer.alloc(70)]) {
      await v.putRaw(journal, bytes);
      expectSame(await v.content('f'), start);
      expect(warnings).toEqual([]);
    }
    const file = await v.open('f');
    expect(await v.journals()).toEqual([]);
    await file.close();
  });

  it('does not reach a file that was put in the place of its own', async () => {
    const { v } = await left();
    await v.make('g', Buffer.from('new'));
    await v.system.rename(v.at('g'), v.at('f'));
    expect((await v.content('f')).toString()).toBe('new');
    const file = await v.open('f');
    await file.append(Buffer.from('er'), 0, 2);
    await file.close();
    expect((await v.content('f')).toString()).toBe('newer');
  });

  it('follows its file through a rename', async () => {
    const { synced, v } = await left();
    await v.system.rename(v.at('f'), v.at('elsewhere'));
    expectSame(await v.content('elsewhere'), synced);
  });
});

describe('the length of the file', () => {
  it('behind what the header says is left from a crash: ignored by readers, cut by writers', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    await v.make('f', start, { segmentBytes });
    const bytes = await v.raw('f');
    await v.putRaw('f', Buffer.concat([bytes, pattern(20_000)]));
    expectSame(await v.content('f'), start);
    const file = await v.open('f');
    expectSame(await v.raw('f'), bytes);
    await file.close();
  });

  it('is not cut when the body does not end there: an old header must not cost data', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    await v.make('f', start, { segmentBytes });
    const old = await v.raw('f');
    const file = await v.open('f');
    await file.append(pattern(20_000), 0, 20_000);
    await file.close();
    const bytes = await v.raw('f');
    // Both halves of the header as they were before the append.
    old.copy(bytes, 0, 0, 4_096);
    await v.putRaw('f', bytes);
    await expect(v.open('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TAMPERED', path: 'f' });
    expectSame(await v.raw('f'), bytes);
    expect(await v.locks()).toEqual([]);
  });

  it('short of what the header says is TRUNCATED', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    await v.make('f', start, { segmentBytes });
    const bytes = await v.raw('f');
    for (const missing of [1, 44, 4_096, 20_000, bytes.length - 4_096]) {
      await v.putRaw('f', bytes.subarray(0, -missing));
      await expect(v.open('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED', path: 'f' });
      await expect(v.content('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED', path: 'f' });
    }
  });

  it('may be short of it where the journal has the rest', async () => {
    const { synced, v } = await left();
    // The last segment, which all three records changed, never got to its place.
    await v.putRaw('f', (await v.raw('f')).subarray(0, 4_096 + 7 * 4_096));
    expectSame(await v.content('f'), synced);
    const file = await v.open('f');
    await file.close();
    expectSame(await v.content('f'), synced);
    // But not where it has not.
    const again = await left();
    await again.v.putRaw('f', (await again.v.raw('f')).subarray(0, 4_096 + 6 * 4_096));
    await expect(again.v.open('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED' });
    expect(await again.v.journals()).toHaveLength(1);
  });
});

describe('a writer that died', () => {
  it('in the middle of a checkpoint', async () => {
    for (let stopAt = 1; ; stopAt++) {
      const simulated = new SimulatedSystem();
      let calls = 0;
      let armed = false;
      const faulty = new FaultySystem(simulated, () =>
        armed && ++calls >= stopAt ? { code: 'EIO', when: 'before' } : undefined,
      );
      const v = await SealedVolume.create('/v', faulty.system);
      await v.make('f', start, { segmentBytes });
      const file = await v.open('f');
      for (const at of [0, 9_000, 22_000]) await file.write(pattern(3_000, at), 0, 3_000, at);
      await file.append(pattern(9_000, 1), 0, 9_000);
      await file.sync();
      const synced = await contentOf(file);
      armed = true;
      const failed = await file.close().then(
        () => false,
        () => true,
      );
      pretendReboot();
      const after = v.sibling({}, new SimulatedSystem(simulated.image()));
      expectSame(await after.content('f'), synced);
      await (await after.open('f')).close();
      expectSame(await after.content('f'), synced);
      if (!failed) break;
      expect(stopAt).toBeLessThan(40);
    }
  });

  it('in the middle of a recovery', async () => {
    const { synced, v } = await left();
    const image = (v.system as SimulatedSystem).image();
    for (let stopAt = 1; ; stopAt++) {
      const simulated = new SimulatedSystem(image);
      const faulty = new FaultySystem(simulated, ({ number }) =>
        number >= stopAt ? { code: 'EIO', when: 'before' } : undefined,
      );
      const opened = await v
        .sibling({}, faulty.system)
        .open('f')
        .catch(() => undefined);
      pretendReboot();
      const after = v.sibling({}, new SimulatedSystem(simulated.image()));
      expectSame(await after.content('f'), synced);
      await (await after.open('f')).close();
      expectSame(await after.content('f'), synced);
      if (opened !== undefined) break;
      expect(stopAt).toBeLessThan(60);
    }
  });
});
