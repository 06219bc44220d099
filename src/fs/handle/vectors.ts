/** Transfers of several buffers at once. */

import { argumentType } from './argument-errors.ts';
import { bytesOf } from './arguments.ts';
import type { HandleTarget } from './handle-target.ts';

/** Parts of one write are joined up to this much, so that they are written in one step. */
const mostJoinedBytes = 1_048_576;

/** @throws `ERR_INVALID_ARG_TYPE` */
export function checkViews(views: unknown): readonly Uint8Array[] {
  if (Array.isArray(views) && views.every((view) => ArrayBuffer.isView(view))) {
    return (views as NodeJS.ArrayBufferView[]).map(bytesOf);
  }
  throw argumentType('buffers', 'an NodeJS.ArrayBufferView[]', views);
}

/** Fills one buffer after the other; gives the bytes in all. */
export async function readVector(
  file: HandleTarget,
  views: readonly Uint8Array[],
  start: number,
): Promise<number> {
  let total = 0;
  for (const view of views) {
    if (view.length === 0) continue;
    const count = await file.read(view, 0, view.length, start + total);
    total += count;
    if (count < view.length) break;
  }
  return total;
}

/** The same bytes in fewer parts. */
export function* joinedParts(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  let joined: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    if (bytes > 0 && bytes + part.length > mostJoinedBytes) {
      yield joinParts(joined);
      joined = [];
      bytes = 0;
    }
    joined.push(part);
    bytes += part.length;
  }
  if (bytes > 0) yield joinParts(joined);
}

function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}
