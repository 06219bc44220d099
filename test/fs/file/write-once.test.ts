/** Write-once files through the same class, and how they become mutable. */

import { describe, expect, it } from 'vitest';

import { isWriteOnceError, rewriteAsMutable } from '../../../src/fs/file/rewrite.ts';
import { FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { contentOf, expectSame, pattern, readAt, SealedVolume } from './sealed-volume.ts';

const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 32;
const once = { kind: 'write-once', segmentBytes } as const;

async function volume(): Promise<SealedVolume> {
  return SealedVolume.create('/v', new SimulatedSystem());
}

describe('a write-once file', () => {
  it.each(['aes-256-gcm', 'xchacha20-poly1305'] as const)('is read as any other, %s', async (suite) => {
    const v = await volume();
    for (const length of [0, 1, plainSegmentBytes, plainSegmentBytes + 1, 100_000]) {
      await v.make('f', pattern(length), { ...once, suite });
      const file = await v.open('f', false);
      expect(file.header.kind).toBe('write-once');
      expect(file.plainBytes).toBe(length);
      expect((await file.stat()).size).toBe(BigInt(length));
      expectSame(await contentOf(file), pattern(length));
      expectSame(await readAt(file, 5_000, 3_000), pattern(length).subarray(3_000, 8_000));
      await file.refresh();
      await file.close();
    }
  });

  it('is not opened for writing', async () => {
    const v = await volume();
    await v.make('f', pattern(100), once);
    const refused = await v.open('f').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'EPERM', syscall: 'open', path: 'f' });
    expect(isWriteOnceError(refused)).toBe(true);
    expect(isWriteOnceError(new Error('EPERM'))).toBe(false);
    const file = await v.open('f', false);
    const again = await file.makeWritable(await v.system.open(v.at('f'), 2)).catch((error: unknown) => error);
    expect(isWriteOnceError(again)).toBe(true);
    await expect(file.write(pattern(1), 0, 1, 0)).rejects.toMatchObject({ code: 'EBADF' });
    expectSame(await contentOf(file), pattern(100));
    await file.close();
    expect((v.system as SimulatedSystem).openDescriptors).toEqual([]);
    expect(await v.locks()).toEqual([]);
  });

  it('that was cut, extended or changed is an error when it is opened', async () => {
    const v = await volume();
    await v.make('f', pattern(3 * plainSegmentBytes + 500), once);
    const good = await v.raw('f');
    const open = async (bytes: Buffer): Promise<string> => {
      await v.putRaw('f', bytes);
      return v.open('f', false).then(
        async (file) => {
          await file.close();
          return 'opened';
        },
        (error: unknown) => (error as { code: string }).code,
      );
    };
    for (const length of [
      good.length - 1,
      good.length - 532,
      good.length - 533,
      2_048 + segmentBytes,
      2_048,
      2_060,
    ]) {
      expect(await open(good.subarray(0, length)), `cut to ${length}`).toBe('ERR_VOLSEAL_TRUNCATED');
    }
    expect(await open(Buffer.concat([good, Buffer.alloc(10)]))).toBe('ERR_VOLSEAL_TRAILING_DATA');
    expect(await open(Buffer.concat([good, good.subarray(-532)]))).toBe('ERR_VOLSEAL_TRAILING_DATA');
    const changed = Buffer.from(good);
    changed[good.length - 1] = (changed[good.length - 1] as number) ^ 1;
    expect(await open(changed)).toBe('ERR_VOLSEAL_TAMPERED');
    // The size is right: the segment says it when it is read.
    const inside = Buffer.from(good);
    inside[2_048 + 100] = (inside[2_048 + 100] as number) ^ 1;
    await v.putRaw('f', inside);
    const file = await v.open('f', false);
    await expect(contentOf(file)).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TAMPERED',
      path: 'f',
      offset: 2_048,
    });
    await file.close();
    expect((v.system as SimulatedSystem).openDescriptors).toEqual([]);
  });
});

describe('rewriteAsMutable', () => {
  it('keeps content, mode and suite under a new key', async () => {
    const v = await volume();
    for (const length of [0, 1, 16_340, 16_341, 3 * 2 ** 20 + 17]) {
      await v.make('f', pattern(length), { kind: 'write-once', suite: 'xchacha20-poly1305' });
      await v.system.chmod(v.at('f'), 0o640);
      const reader = await v.open('f', false);
      await rewriteAsMutable(v.env, v.at('f'));
      const file = await v.open('f');
      expect(file.header).toMatchObject({ kind: 'mutable', suite: 'xchacha20-poly1305' });
      expect(Buffer.from(file.fileId).equals(reader.fileId)).toBe(false);
      expect((await file.stat()).mode & 0o777n).toBe(0o640n);
      expectSame(await contentOf(file), pattern(length));
      await file.append(pattern(5), 0, 5);
      await file.close();
      expectSame(await contentOf(reader), pattern(length));
      await reader.close();
      expectSame(await v.content('f'), Buffer.concat([pattern(length), pattern(5)]));
    }
  });

  it('does nothing to a mutable file', async () => {
    const v = await volume();
    await v.make('f', pattern(100));
    const before = await v.raw('f');
    await rewriteAsMutable(v.env, v.at('f'));
    expectSame(await v.raw('f'), before);
  });

  it('leaves the old file when anything fails, and nothing else', async () => {
    for (let failing = 1; ; failing++) {
      const disk = new SimulatedSystem();
      const faulty = new FaultySystem(disk);
      const v = await SealedVolume.create('/v', faulty.system);
      await v.make('f', pattern(40_000), once);
      faulty.decide(({ name, number }) =>
        number === failing && name !== 'close' ? { code: 'ENOSPC', when: 'before' } : undefined,
      );
      const worked = await rewriteAsMutable(v.env, v.at('f')).then(
        () => true,
        () => false,
      );
      const calls = faulty.calls.length;
      faulty.decide(() => undefined);
      expectSame(await v.content('f'), pattern(40_000));
      if (worked) {
        expect((await v.system.readdir('/v')).map(({ name }) => name).sort()).toEqual(['.volseal', 'f']);
      }
      expect(disk.openDescriptors).toEqual([]);
      if (worked && calls < failing) break;
      expect(failing).toBeLessThan(100);
    }
  });

  it('two at a time: one of them does it', async () => {
    const v = await volume();
    await v.make('f', pattern(40_000), once);
    const both = await Promise.allSettled([
      rewriteAsMutable(v.env, v.at('f')),
      rewriteAsMutable(v.sibling().env, v.at('f')),
    ]);
    for (const result of both) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EBUSY' });
    }
    expect(both.some(({ status }) => status === 'fulfilled')).toBe(true);
    expectSame(await v.content('f'), pattern(40_000));
  });
});
