/** Someone without the key writes to the disk: what is found out, and what cannot be (docs/threat-model.md). */

import { describe, expect, it } from 'vitest';

import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { contentOf, expectSame, pattern, readAt, SealedVolume } from './sealed-volume.ts';

const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 44;
const regionBytes = 4_096;
const content = pattern(5 * plainSegmentBytes + 700);

async function volume(): Promise<SealedVolume> {
  const v = await SealedVolume.create('/v', new SimulatedSystem());
  await v.make('f', content, { segmentBytes });
  return v;
}

const placeOf = (index: number): number => regionBytes + index * segmentBytes;
const segmentIn = (bytes: Buffer, index: number): Buffer =>
  bytes.subarray(placeOf(index), placeOf(index) + segmentBytes);

/** Reading any of these segments fails, whoever reads; the others can be read. */
async function expectBroken(
  v: SealedVolume,
  broken: readonly number[],
  code = 'ERR_VOLSEAL_TAMPERED',
): Promise<void> {
  for (const write of [false, true]) {
    const file = await v.open('f', write);
    for (let index = 0; index < 6; index++) {
      const at = index * plainSegmentBytes;
      if (broken.includes(index)) {
        const target = Buffer.alloc(100, 0xee);
        const read = Promise.resolve(file.read(target, 0, 100, at + 50));
        await expect(read).rejects.toMatchObject({ code, path: 'f' });
        expect(target.every((byte) => byte === 0xee)).toBe(true);
      } else {
        expectSame(await readAt(file, 100, at + 50), content.subarray(at + 50, at + 150));
      }
    }
    await file.close();
  }
}

describe('a changed segment', () => {
  it('is found out in every part of it', async () => {
    const v = await volume();
    const good = await v.raw('f');
    for (const index of [0, 3, 5]) {
      const length = index === 5 ? 744 : segmentBytes;
      for (const at of [0, 3, 4, 15, 16, 27, 28, 400, length - 17, length - 16, length - 1]) {
        const bad = Buffer.from(good);
        bad[placeOf(index) + at] = (bad[placeOf(index) + at] as number) ^ 0x10;
        await v.putRaw('f', bad);
        await expectBroken(v, [index]);
      }
    }
  });

  it('made of zeros is no hole', async () => {
    const v = await volume();
    const bytes = await v.raw('f');
    bytes.fill(0, placeOf(1), placeOf(3));
    await v.putRaw('f', bytes);
    await expectBroken(v, [1, 2]);
  });

  it('does not spoil what is written around it', async () => {
    const v = await volume();
    const bytes = await v.raw('f');
    bytes.fill(7, placeOf(2), placeOf(3));
    await v.putRaw('f', bytes);
    const file = await v.open('f');
    await expect(file.write(pattern(10), 0, 10, 2 * plainSegmentBytes + 9)).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TAMPERED',
    });
    await file.write(pattern(10, 2), 0, 10, plainSegmentBytes);
    await file.sync();
    // All of it anew: nothing of the old one is needed.
    await file.write(pattern(plainSegmentBytes, 3), 0, plainSegmentBytes, 2 * plainSegmentBytes);
    await file.close();
    const expected = Buffer.from(content);
    pattern(10, 2).copy(expected, plainSegmentBytes);
    pattern(plainSegmentBytes, 3).copy(expected, 2 * plainSegmentBytes);
    expectSame(await v.content('f'), expected);
  });
});

describe('a segment in another place', () => {
  it('of the same file is found out', async () => {
    const v = await volume();
    const good = await v.raw('f');
    const bad = Buffer.from(good);
    segmentIn(good, 1).copy(bad, placeOf(3));
    segmentIn(good, 3).copy(bad, placeOf(1));
    await v.putRaw('f', bad);
    await expectBroken(v, [1, 3]);
  });

  it('of another file is found out', async () => {
    const v = await volume();
    await v.make('g', content, { segmentBytes });
    const [bytes, other] = [await v.raw('f'), await v.raw('g')];
    segmentIn(other, 2).copy(bytes, placeOf(2));
    await v.putRaw('f', bytes);
    await expectBroken(v, [2]);
  });

  it('all of another file, behind the header of this one', async () => {
    const v = await volume();
    await v.make('g', content, { segmentBytes });
    const [bytes, other] = [await v.raw('f'), await v.raw('g')];
    other.copy(bytes, regionBytes, regionBytes);
    await v.putRaw('f', bytes);
    await expectBroken(v, [0, 1, 2, 3, 4, 5]);
  });
});

describe('the end of the file', () => {
  it('cut off anywhere is found out', async () => {
    const v = await volume();
    const good = await v.raw('f');
    for (const length of [placeOf(5), placeOf(5) + 100, placeOf(4), placeOf(0), good.length - 1]) {
      await v.putRaw('f', good.subarray(0, length));
      await expect(v.content('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED' });
    }
  });

  it('cut off at a former end, whose last segment is put back, is found out', async () => {
    const v = await volume();
    const former = await v.raw('f');
    const file = await v.open('f');
    await file.append(pattern(9_000, 2), 0, 9_000);
    await file.close();
    const bytes = (await v.raw('f')).subarray(0, former.length);
    segmentIn(former, 5).copy(bytes, placeOf(5));
    await v.putRaw('f', bytes);
    await expect(v.open('f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED' });
    const reader = await v.open('f', false);
    await expect(contentOf(reader)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED' });
    await reader.close();
  });

  it('with segments put behind it does not show them', async () => {
    const v = await volume();
    const file = await v.open('f');
    await file.append(pattern(9_000, 2), 0, 9_000);
    await file.checkpoint();
    const longer = await v.raw('f');
    await file.truncate(content.length);
    await file.close();
    const bytes = await v.raw('f');
    await v.putRaw('f', Buffer.concat([bytes, longer.subarray(bytes.length)]));
    expectSame(await v.content('f'), content);
  });

  it('that was cut and grew again has zeros, not the old segments', async () => {
    const v = await volume();
    const before = await v.raw('f');
    const file = await v.open('f');
    await file.truncate(plainSegmentBytes);
    await file.truncate(content.length);
    await file.close();
    const expected = Buffer.alloc(content.length);
    content.copy(expected, 0, 0, plainSegmentBytes);
    expectSame(await v.content('f'), expected);
    // Old segments in their old places are authentic: the data key is the same. That is what the threat model says.
    const bytes = await v.raw('f');
    segmentIn(before, 3).copy(bytes, placeOf(3));
    await v.putRaw('f', bytes);
    content.copy(expected, 3 * plainSegmentBytes, 3 * plainSegmentBytes, 4 * plainSegmentBytes);
    expectSame(await v.content('f'), expected);
  });
});

describe('what nobody can find out (rollback)', () => {
  it('an older version of one segment in its own place', async () => {
    const v = await volume();
    const before = await v.raw('f');
    const file = await v.open('f');
    await file.write(pattern(3 * plainSegmentBytes, 5), 0, 3 * plainSegmentBytes, plainSegmentBytes);
    await file.close();
    const expected = await v.content('f');
    const bytes = await v.raw('f');
    segmentIn(before, 2).copy(bytes, placeOf(2));
    await v.putRaw('f', bytes);
    content.copy(expected, 2 * plainSegmentBytes, 2 * plainSegmentBytes, 3 * plainSegmentBytes);
    expectSame(await v.content('f'), expected);
  });

  it('a journal cut after an older record', async () => {
    const v = await volume();
    const file = await v.open('f');
    await file.write(pattern(10, 1), 0, 10, 0);
    await file.sync();
    const first = await contentOf(file);
    const [journal] = await v.journals();
    const { size } = await v.system.stat(v.at(journal as string));
    await file.write(pattern(10, 2), 0, 10, 0);
    await file.sync();
    const cut = (await v.raw(journal as string)).subarray(0, Number(size));
    const image = (v.system as SimulatedSystem).image();
    const thief = v.sibling({}, new SimulatedSystem(image));
    await thief.putRaw(journal as string, cut);
    expectSame(await thief.content('f'), first);
    await file.close();
  });
});
