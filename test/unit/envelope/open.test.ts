/** From a header to the keys of the body: what is checked, in which order, and that nothing is tried twice. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { type OpenEnvelopeOptions, openEnvelope } from '../../../src/envelope/open.ts';
import { findHeader } from '../../../src/envelope/region.ts';
import { VolsealError } from '../../../src/errors.ts';
import { flySecrets } from '../../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../../src/kms/provider.ts';
import {
  type ReferenceCopy,
  referenceContext,
  referenceCopy,
  referenceRegion,
} from '../../reference/header.ts';
import { referenceSecretText } from '../../reference/keys.ts';
import {
  type ReferenceFile,
  referenceFlySlot,
  referenceNewRegion,
  referenceParts,
} from '../../reference/sealed.ts';

const ikmOf = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => (i * i * 31 + i * 17 + seed * 101) & 0xff);
const keysOf = (seed: number): KeyProvider =>
  flySecrets({ env: { [`VOLSEAL_SECRET_v${seed}`]: referenceSecretText(ikmOf(seed)) } });

const file: ReferenceFile = {
  ikm: ikmOf(1),
  label: 'v1',
  dataKey: new Uint8Array(32).fill(0xdd),
  fileId: new Uint8Array(16).fill(0xf1),
  iv: new Uint8Array(32).fill(0x11),
  slotNonce: new Uint8Array(24).fill(0x22),
  segmentNonce: (position) => new Uint8Array(12).fill(Number(position)),
  aeadId: 0,
  segmentBytes: 4_096,
  regionBytes: 4_096,
  context: [
    ['app', 'shop'],
    ['tenant', 'a'],
  ],
  plain: Buffer.from('the plaintext'),
};
const parts = referenceParts(file);
const good = referenceNewRegion(parts.copy, file.dataKey);

function twoHalves(
  first: Partial<ReferenceCopy>,
  second: Partial<ReferenceCopy>,
  firstKey = file.dataKey,
  secondKey = file.dataKey,
): Uint8Array {
  const half = (halfIndex: number, changes: Partial<ReferenceCopy>, key: Uint8Array): Uint8Array =>
    referenceCopy({ ...parts.copy, halfIndex, ...changes }, key);
  return referenceRegion(half(0, first, firstKey), half(1, second, secondKey), 4_096);
}

async function openWith(
  region: Uint8Array,
  keys: KeyProvider | readonly KeyProvider[],
  options: OpenEnvelopeOptions = {},
): ReturnType<typeof openEnvelope> {
  return openEnvelope(findHeader(region), [keys].flat() as readonly KeyProvider[], options);
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return undefined;
  expect(error).toBeInstanceOf(VolsealError);
  const { code, hint, message } = error as VolsealError;
  expect(hint).toMatch(/\w/);
  expect(message + hint).not.toMatch(/dddddd|plaintext"/);
  return code.replace('ERR_VOLSEAL_', '');
}

/** Counts the calls of a provider. */
function watched(keys: KeyProvider): KeyProvider & { readonly calls: string[] } {
  const calls: string[] = [];
  return {
    type: keys.type,
    calls,
    wrap: (...args) => (calls.push('wrap'), keys.wrap(...args)),
    unwrap: (...args) => (calls.push('unwrap'), keys.unwrap(...args)),
    describe: (...args) => (calls.push('describe'), keys.describe(...args)),
  };
}

test('a file of the reference opens: id, context, region, body', async () => {
  const opened = await openWith(good, keysOf(1));
  expect(hex(opened.fileId)).toBe(hex(file.fileId));
  expect(opened.regionBytes).toBe(4_096);
  expect(Object.entries(opened.context)).toEqual(file.context);
  expect(hex(opened.decryptor.openSegment(parts.body, 0, true))).toBe(hex(file.plain));
});

describe('the order of checks', () => {
  const foreignSlot = referenceFlySlot(
    ikmOf(2),
    'v2',
    file.dataKey,
    file.slotNonce,
    file.fileId,
    parts.floeHeader,
  );
  const otherKeySlot = referenceFlySlot(
    ikmOf(1),
    'v1',
    new Uint8Array(32).fill(0xee),
    file.slotNonce,
    file.fileId,
    parts.floeHeader,
  );
  const movedSlot = referenceFlySlot(
    ikmOf(1),
    'v1',
    file.dataKey,
    file.slotNonce,
    new Uint8Array(16).fill(0xaa),
    parts.floeHeader,
  );
  const forgedMac = new Uint8Array(32).fill(0x99);
  const wrongContext = { context: { tenant: 'b' } };

  test('5, the slot: without the key it is missing, and nobody is asked to unwrap', async () => {
    const keys = watched(keysOf(2));
    expect(await codeOf(openWith(good, keys))).toBe('KEY_MISSING');
    expect(keys.calls).toEqual(['describe']);
  });

  test('5 before 8: no key, forged MAC and wrong context', async () => {
    expect(await codeOf(openWith(twoHalves({}, {}, forgedMac, forgedMac), keysOf(2), wrongContext))).toBe(
      'KEY_MISSING',
    );
  });

  test('6, the unwrap: a slot from another file, under the right key', async () => {
    const keys = watched(keysOf(1));
    expect(await codeOf(openWith(twoHalves({ slots: [movedSlot] }, { slots: [movedSlot] }), keys))).toBe(
      'WRONG_KEY',
    );
    expect(keys.calls).toEqual(['describe', 'unwrap']);
  });

  test('6: a bad slot is not passed over for a good one behind it', async () => {
    const slots = [movedSlot, foreignSlot];
    expect(await codeOf(openWith(twoHalves({ slots }, { slots }), [keysOf(1), keysOf(2)]))).toBe('WRONG_KEY');
  });

  test('7, the header tag: a slot that opens, but to the key of something else', async () => {
    const slots = [otherKeySlot];
    const changes = { slots };
    expect(await codeOf(openWith(twoHalves(changes, changes), keysOf(1)))).toBe('WRONG_KEY');
    // Also when the MAC was made with that other key: the FLOE header tag decides.
    const otherKey = new Uint8Array(32).fill(0xee);
    expect(await codeOf(openWith(twoHalves(changes, changes, otherKey, otherKey), keysOf(1)))).toBe(
      'WRONG_KEY',
    );
  });

  test('7 before 8: another context in clear is another associated data', async () => {
    const changes = { context: referenceContext([['tenant', 'b']]) };
    expect(await codeOf(openWith(twoHalves(changes, changes), keysOf(1), { context: { tenant: 'b' } }))).toBe(
      'WRONG_KEY',
    );
  });

  test.each<[string, Uint8Array]>([
    ['the first copy', twoHalves({}, {}, forgedMac, file.dataKey)],
    ['the second copy', twoHalves({}, {}, file.dataKey, forgedMac)],
    ['both copies', twoHalves({}, {}, forgedMac, forgedMac)],
    ['an older first copy', twoHalves({ generation: 1n }, { generation: 2n }, forgedMac, file.dataKey)],
    ['a newer first copy', twoHalves({ generation: 2n }, { generation: 1n }, forgedMac, file.dataKey)],
    ['a newer second copy', twoHalves({ generation: 1n }, { generation: 2n }, file.dataKey, forgedMac)],
  ])('8, the MAC: %s with a forged one is told, even when the other copy would do', async (_name, region) => {
    expect(await codeOf(openWith(region, keysOf(1)))).toBe('HEADER_TAMPERED');
    expect(await codeOf(openWith(region, keysOf(1), wrongContext))).toBe('HEADER_TAMPERED');
  });

  test('8: the offset of the copy that was changed', async () => {
    const offsetOf = (region: Uint8Array): Promise<unknown> =>
      openWith(region, keysOf(1)).then(
        () => undefined,
        (error: unknown) => (error as VolsealError).offset,
      );
    expect(await offsetOf(twoHalves({}, {}, forgedMac, file.dataKey))).toBe(0);
    expect(await offsetOf(twoHalves({}, {}, file.dataKey, forgedMac))).toBe(2_048);
  });

  test('8: a slot added, or a generation raised, by someone without the key', async () => {
    const slots = [parts.slot, foreignSlot];
    expect(await codeOf(openWith(twoHalves({ slots }, { slots }, forgedMac, forgedMac), keysOf(1)))).toBe(
      'HEADER_TAMPERED',
    );
    const changed = Uint8Array.from(good);
    changed[27] = 9; // generation: the checksum does not match any more, the other copy is used
    expect(await codeOf(openWith(changed, keysOf(1)))).toBeUndefined();
  });

  test('8, then the context', async () => {
    expect(await codeOf(openWith(good, keysOf(1), wrongContext))).toBe('CONTEXT_MISMATCH');
    expect(await codeOf(openWith(good, keysOf(1), { context: { tenant: 'a' } }))).toBeUndefined();
    expect(await codeOf(openWith(good, keysOf(1), { context: { tenant: 'a' }, exactContext: true }))).toBe(
      'CONTEXT_MISMATCH',
    );
    expect(await codeOf(openWith(good, keysOf(1), { exactContext: true }))).toBe('CONTEXT_MISMATCH');
    expect(
      await codeOf(openWith(good, keysOf(1), { context: { tenant: 'a', app: 'shop' }, exactContext: true })),
    ).toBeUndefined();
  });
});

describe('two generations', () => {
  const rotated = referenceFlySlot(
    ikmOf(2),
    'v2',
    file.dataKey,
    new Uint8Array(24).fill(0x33),
    file.fileId,
    parts.floeHeader,
  );

  test('the newer one holds: the old key alone does not open it, though the older copy has its slot', async () => {
    const region = twoHalves({ generation: 1n }, { generation: 2n, slots: [rotated] });
    expect(await codeOf(openWith(region, keysOf(1)))).toBe('KEY_MISSING');
    expect(await codeOf(openWith(region, keysOf(2)))).toBeUndefined();
  });

  test('with the newer one torn the older one holds', async () => {
    const region = twoHalves({ generation: 1n }, { generation: 2n, slots: [rotated] });
    region[2_048 + 100] = (region[2_048 + 100] as number) ^ 1;
    expect(await codeOf(openWith(region, keysOf(1)))).toBeUndefined();
    expect(await codeOf(openWith(region, keysOf(2)))).toBe('KEY_MISSING');
  });
});

test('a mutable body is named before any key is asked for', async () => {
  const keys = watched(keysOf(1));
  const floeHeader = concatBytes(Uint8Array.of(0xf2), parts.floeHeader.subarray(1));
  const state = concatBytes(new Uint8Array(15), Uint8Array.of(44), new Uint8Array(32));
  const mutable = { bodyKind: 2, floeHeader, state };
  expect(await codeOf(openWith(twoHalves(mutable, mutable), keys))).toBe('UNSUPPORTED_FEATURE');
  expect(keys.calls).toEqual([]);
});

describe('a damaged copy', () => {
  async function warningsOf(region: Uint8Array, keys: KeyProvider): Promise<unknown[]> {
    const messages: unknown[] = [];
    const on = (message: unknown): void => void messages.push(message);
    subscribe('volseal:warning', on);
    try {
      await openWith(region, keys).catch(() => {});
    } finally {
      unsubscribe('volseal:warning', on);
    }
    return messages;
  }
  const torn = (offset: number): Uint8Array => {
    const region = Uint8Array.from(good);
    region.fill(0, offset, offset + 512);
    return region;
  };

  test('is told once the file is open, and not when it does not open', async () => {
    const message = expect.stringContaining('damaged') as string;
    for (const offset of [0, 2_048]) {
      expect(await warningsOf(torn(offset), keysOf(1))).toEqual([{ code: 'header-copy-damaged', message }]);
      expect(await warningsOf(torn(offset), keysOf(2))).toEqual([]);
    }
    expect(await warningsOf(good, keysOf(1))).toEqual([]);
  });

  test('does not keep the file from opening', async () => {
    for (const offset of [0, 2_048]) {
      const { decryptor } = await openWith(torn(offset), keysOf(1));
      expect(hex(decryptor.openSegment(parts.body, 0, true))).toBe(hex(file.plain));
    }
  });
});

test('an aborted signal', async () => {
  expect(
    await openWith(good, keysOf(1), { signal: AbortSignal.abort() }).catch(
      (error: unknown) => (error as VolsealError).code,
    ),
  ).toBe('ERR_VOLSEAL_ABORTED');
});

test('the slots of a header are tried in their order for one provider', async () => {
  const both = flySecrets({
    env: {
      VOLSEAL_SECRET_v1: referenceSecretText(ikmOf(1)),
      VOLSEAL_SECRET_v2: referenceSecretText(ikmOf(2)),
    },
    primary: 'v1',
  });
  const second = referenceFlySlot(
    ikmOf(2),
    'v2',
    file.dataKey,
    file.slotNonce,
    file.fileId,
    parts.floeHeader,
  );
  const asked: string[] = [];
  const keys: KeyProvider = {
    ...watched(both),
    unwrap: (wrapped, info) => (asked.push(wrapped.keyId), both.unwrap(wrapped, info)),
  };
  const orders = [
    [parts.slot, second],
    [second, parts.slot],
  ];
  for (const slots of orders) await openWith(twoHalves({ slots }, { slots }), keys);
  const { keys: known } = await both.describe();
  expect(asked).toEqual(known.map(({ keyId }) => keyId));
});

test('a file sealed by the reference with the other suite opens too', async () => {
  const other = { ...file, aeadId: 0xf1, segmentNonce: () => new Uint8Array(24).fill(1) };
  const otherParts = referenceParts(other);
  const { decryptor } = await openWith(referenceNewRegion(otherParts.copy, file.dataKey), keysOf(1));
  expect(decryptor.suite).toBe('xchacha20-poly1305');
  expect(hex(concatBytes(...decryptor.openSegmentParts([otherParts.body], 0, true)))).toBe(hex(file.plain));
});
