/** The sealed files that are attacked, each with what only its owner knows. */

import { createHash } from 'node:crypto';

import { type Context, encrypt, type KeyProvider, type Suite } from '../../src/index.ts';
import { testKeys } from '../../src/testing.ts';
import { mapSealed, type SealedMap } from './sealed-map.ts';

export interface Subject {
  readonly sealed: Uint8Array;
  readonly plain: Uint8Array;
  readonly map: SealedMap;
  readonly keys: KeyProvider;
  /** The data key of the file, 32 bytes. */
  readonly dataKey: Uint8Array;
  /** Plaintext bytes of a whole segment. */
  readonly plainSegmentBytes: number;
}

/** Bytes of which no two runs are alike, the same in every process. */
export function plaintextOf(name: string, bytes: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let i = 0; i * 32 < bytes; i++) blocks.push(createHash('sha256').update(`${name} ${i}`).digest());
  return Uint8Array.from(Buffer.concat(blocks).subarray(0, bytes));
}

/** A provider that shows the data keys it wraps. */
function watched(inner: KeyProvider, seen: (dataKey: Uint8Array) => void): KeyProvider {
  return {
    type: inner.type,
    wrap(key, info) {
      seen(Uint8Array.from(key));
      return inner.wrap(key, info);
    },
    unwrap: (wrapped, info) => inner.unwrap(wrapped, info),
    describe: (options) => inner.describe(options),
  };
}

export interface SubjectOptions {
  readonly name?: string;
  readonly plainBytes: number;
  readonly suite?: Suite;
  readonly segmentBytes?: number;
  readonly context?: Context;
  readonly keys?: KeyProvider;
  /** More slots beside the first. */
  readonly moreKeys?: readonly KeyProvider[];
}

export async function makeSubject(options: SubjectOptions): Promise<Subject> {
  const {
    name = 'subject',
    plainBytes,
    suite = 'aes-256-gcm',
    segmentBytes = 4_096,
    moreKeys = [],
  } = options;
  const keys = options.keys ?? testKeys('a');
  const plain = plaintextOf(name, plainBytes);
  const dataKeys: Uint8Array[] = [];
  const providers = [watched(keys, (key) => dataKeys.push(key)), ...moreKeys];
  const { context } = options;
  const sealed = await encrypt(plain, { keys: providers, suite, segmentBytes, ...(context && { context }) });
  const overheadBytes = suite === 'aes-256-gcm' ? 32 : 44;
  return {
    sealed,
    plain,
    map: mapSealed(sealed),
    keys,
    dataKey: dataKeys[0] as Uint8Array,
    plainSegmentBytes: segmentBytes - overheadBytes,
  };
}
