/** Header copies as a later write would leave them: another generation, other slots, under the file's own key. */

import { createHash } from 'node:crypto';

import { referenceCopy } from '../reference/header.ts';
import { referenceFlySlot } from '../reference/sealed.ts';
import { put } from './forge.ts';
import { partOf, viewOf } from './sealed-map.ts';
import type { Subject } from './subjects.ts';

function bytesOf(subject: Subject, name: string, bytes?: number): Uint8Array {
  const part = partOf(subject.map, 0, name);
  return subject.sealed.subarray(part.offset, part.offset + (bytes ?? part.bytes));
}

const fileIdOf = (subject: Subject): Uint8Array => bytesOf(subject, 'file id');
const floeHeaderOf = (subject: Subject): Uint8Array => bytesOf(subject, 'AEAD id', 74);

/** The slots that the file has, as they are. */
export function slotsOf(subject: Subject): Uint8Array[] {
  const count = bytesOf(subject, 'slot count')[0] as number;
  return Array.from({ length: count }, (_, slot) => {
    const slotBytes = viewOf(bytesOf(subject, `slot ${slot} length`)).getUint16(0);
    return bytesOf(subject, `slot ${slot} type`, slotBytes);
  });
}

/** A slot for the secret that `testKeys(label)` has. */
export function slotFor(subject: Subject, label: string): Uint8Array {
  const ikm = createHash('sha256').update('volseal test keys, never for real data: ').update(label).digest();
  const nonce = createHash('sha256').update(`nonce for ${label}`).digest().subarray(0, 24);
  return referenceFlySlot(ikm, label, subject.dataKey, nonce, fileIdOf(subject), floeHeaderOf(subject));
}

export interface Rewrite {
  readonly generation: bigint;
  /** Default: those that the file has. */
  readonly slots?: readonly Uint8Array[];
}

/** The subject's file with one half rewritten, zeros up to its end. */
export function rewritten(subject: Subject, sealed: Uint8Array, half: 0 | 1, rewrite: Rewrite): Uint8Array {
  const { regionBytes } = subject.map;
  const copy = referenceCopy(
    {
      regionBytes,
      halfIndex: half,
      generation: rewrite.generation,
      fileId: fileIdOf(subject),
      floeHeader: floeHeaderOf(subject),
      context: bytesOf(subject, 'context'),
      slots: rewrite.slots ?? slotsOf(subject),
    },
    subject.dataKey,
  );
  const whole = new Uint8Array(regionBytes / 2);
  whole.set(copy);
  return put(sealed, (half * regionBytes) / 2, whole);
}
