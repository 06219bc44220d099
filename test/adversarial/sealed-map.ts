/** Where everything is in a sealed file, read off docs/format/v1.md §3, §4 and §6; no code of src. */

export interface Part {
  readonly name: string;
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SegmentMap {
  readonly start: number;
  readonly end: number;
  /** Prefix, nonce, ciphertext (absent in an empty segment), tag. */
  readonly parts: readonly Part[];
}

export interface SealedMap {
  readonly regionBytes: number;
  readonly segmentBytes: number;
  /** Bytes of a copy, from its magic to the end of its MAC. */
  readonly copyBytes: number;
  /** The parts of half 0 and of half 1, in order and without gaps. */
  readonly halves: readonly [readonly Part[], readonly Part[]];
  readonly segments: readonly SegmentMap[];
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The parts of the copy that begins at `start`, and the zeros up to the end of its half. */
function mapHalf(sealed: Uint8Array, start: number): Part[] {
  const view = viewOf(sealed);
  const parts: Part[] = [];
  let at = start;
  const part = (name: string, bytes: number): number => {
    parts.push({ name, offset: at, bytes });
    at += bytes;
    return at - bytes;
  };
  part('magic', 8);
  part('version', 2);
  part('half index', 1);
  const regionBytes = 2 ** view.getUint8(part('region size', 1));
  const copyBytes = view.getUint32(part('copy length', 4));
  part('body kind', 1);
  part('reserved', 1);
  part('flags', 2);
  part('generation', 8);
  part('file id', 16);
  part('AEAD id', 1);
  part('KDF id', 1);
  part('segment length', 4);
  part('IV length', 4);
  part('FLOE IV', 32);
  part('header tag', 32);
  part('syncSeq', 8);
  part('bodyBytes', 8);
  part('acc', 32);
  part('context', view.getUint16(part('context length', 2)));
  part('location', view.getUint16(part('location length', 2)));
  const slots = view.getUint8(part('slot count', 1));
  for (let slot = 0; slot < slots; slot++) {
    const slotBytes = view.getUint16(part(`slot ${slot} length`, 2));
    const type = view.getUint8(part(`slot ${slot} type`, 1));
    const hintBytes = view.getUint8(part(`slot ${slot} hint length`, 1));
    part(`slot ${slot} key id`, 16);
    part(`slot ${slot} key version`, 4);
    if (type === 128) {
      part(`slot ${slot} provider wrap`, slotBytes - 22);
    } else {
      part(`slot ${slot} nonce`, 24);
      part(`slot ${slot} ciphertext`, 32);
      part(`slot ${slot} tag`, 16);
      part(`slot ${slot} commitment`, 32);
      part(`slot ${slot} hint`, hintBytes);
    }
  }
  part('CRC', 4);
  part('MAC', 32);
  if (at - start !== copyBytes)
    throw new Error(`the copy at ${start} has ${at - start} bytes, says ${copyBytes}`);
  part('padding', regionBytes / 2 - copyBytes);
  return parts.filter(({ bytes }) => bytes > 0);
}

function mapSegment(index: number, start: number, end: number, nonceBytes: number): SegmentMap {
  const borders: [string, number][] = [
    ['prefix', 4],
    ['nonce', nonceBytes],
    ['ciphertext', end - start - 4 - nonceBytes - 16],
    ['tag', 16],
  ];
  const parts: Part[] = [];
  let at = start;
  for (const [name, bytes] of borders) {
    if (bytes > 0) parts.push({ name: `segment ${index} ${name}`, offset: at, bytes });
    at += bytes;
  }
  return { start, end, parts };
}

/** The map of an unchanged sealed file. */
export function mapSealed(sealed: Uint8Array): SealedMap {
  const view = viewOf(sealed);
  const regionBytes = 2 ** view.getUint8(11);
  const segmentBytes = view.getUint32(46);
  const nonceBytes = view.getUint8(44) === 0 ? 12 : 24;
  const segments: SegmentMap[] = [];
  for (let start = regionBytes; start < sealed.length; start += segmentBytes) {
    const end = Math.min(start + segmentBytes, sealed.length);
    segments.push(mapSegment(segments.length, start, end, nonceBytes));
  }
  return {
    regionBytes,
    segmentBytes,
    copyBytes: view.getUint32(12),
    halves: [mapHalf(sealed, 0), mapHalf(sealed, regionBytes / 2)],
    segments,
  };
}

/** The part of a half by its name. */
export function partOf(map: SealedMap, half: 0 | 1, name: string): Part {
  const found = map.halves[half].find((part) => part.name === name);
  if (found === undefined) throw new Error(`half ${half} has no ${name}`);
  return found;
}
