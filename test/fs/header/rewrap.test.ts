/** Headers that are moved to another volume key: which halves are written, and that each step leaves a header that opens. */

import { describe, expect, it } from 'vitest';
import fc from 'fast-check';

import { findHeader } from '../../../src/envelope/region.ts';
import { FileHeader } from '../../../src/fs/header/file-header.ts';
import { isUnderOnly, rewrapHalves } from '../../../src/fs/header/rewrap.ts';
import { formatKeyId } from '../../../src/key-id.ts';
import { TestKeys, volumeKey } from './volume-keys.ts';

const [first, second] = [volumeKey(1), volumeKey(2)];
const oldKeys = new TestKeys([first]);
const bothKeys = new TestKeys([first, second]);
const newKeys = new TestKeys([second]);
const newId = formatKeyId(second.keyId);

function newRegion(kind: 'mutable' | 'write-once', keys = oldKeys): Uint8Array {
  const { header, region, encryptor } = FileHeader.create(keys, { kind, context: { tenant: 'acme' } });
  header.wipe();
  encryptor?.wipe();
  return region;
}

/** The region after the first so many of the writes. */
function written(region: Uint8Array, count = 2): Uint8Array {
  const after = Uint8Array.from(region);
  for (const { bytes, fileOffset } of rewrapHalves(bothKeys, findHeader(region), newId).slice(0, count))
    after.set(bytes, fileOffset);
  return after;
}

const kinds = ['mutable', 'write-once'] as const;

describe.each(kinds)('the header of a %s file', (kind) => {
  it('is under the new key alone afterwards, in both halves, and says the same', () => {
    const region = newRegion(kind);
    const before = findHeader(region).header;
    const after = findHeader(written(region));
    expect(after.goodCopies.map(({ generation, slots }) => [generation, slots.length])).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect(isUnderOnly(after, newId)).toBe(true);
    const { fileId, floeHeader, context, state } = after.header;
    expect({ fileId, floeHeader, context, state }).toEqual({
      fileId: before.fileId,
      floeHeader: before.floeHeader,
      context: before.context,
      state: before.state,
    });
    FileHeader.open(newKeys, written(region)).wipe();
    expect(() => FileHeader.open(oldKeys, written(region))).toThrow('keyring');
    expect(rewrapHalves(bothKeys, after, newId)).toEqual([]);
  });

  it('opens after the first write, is not yet done, and is finished by the other half alone', () => {
    const half = written(newRegion(kind), 1);
    FileHeader.open(newKeys, half).wipe();
    const found = findHeader(half);
    expect(isUnderOnly(found, newId)).toBe(false);
    expect(rewrapHalves(bothKeys, found, newId)).toHaveLength(1);
    const after = findHeader(written(half));
    expect(isUnderOnly(after, newId)).toBe(true);
    expect(after.goodCopies.map(({ generation }) => generation)).toEqual([2, 2]);
  });

  it('with a write that tears at any byte opens, and is finished all the same', () => {
    const region = newRegion(kind);
    const steps = rewrapHalves(bothKeys, findHeader(region), newId);
    fc.assert(
      fc.property(fc.nat(1), fc.nat(region.length / 2), (step, bytes) => {
        const torn = Uint8Array.from(region);
        for (const [i, half] of steps.entries()) {
          if (i > step) break;
          torn.set(i < step ? half.bytes : half.bytes.subarray(0, bytes), half.fileOffset);
        }
        FileHeader.open(bothKeys, torn).wipe();
        const after = written(torn);
        expect(isUnderOnly(findHeader(after), newId)).toBe(true);
        FileHeader.open(newKeys, after).wipe();
      }),
    );
  });

  it('is refused when somebody changed it', () => {
    const [one, other] = [newRegion(kind), newRegion(kind)];
    // A good checksum, and not authentic: the slot of another file.
    const mixed = Uint8Array.from(one);
    mixed.set(other.subarray(other.length / 2), other.length / 2);
    expect(() => rewrapHalves(bothKeys, findHeader(mixed), newId)).toThrow('contradict');
    expect(() => rewrapHalves(newKeys, findHeader(one), newId)).toThrow('keyring');
  });
});
