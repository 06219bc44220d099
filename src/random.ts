/**
 * All randomness of volseal, read from the kernel.
 *
 * A Machine resumed from a memory snapshot repeats every pool kept in user space, OpenSSL's included; the kernel's is
 * reseeded on resume. So nothing random outlives the turn of the event loop that drew it, and no counter or clock
 * takes part.
 */

import { randomFillSync } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import { internalError } from './errors.ts';

const kernelPath = '/dev/urandom';
const poolBytes = 768;

let kernelDescriptor: number | undefined | 'none';

function openKernel(): number | 'none' {
  let descriptor: number;
  try {
    descriptor = openSync(kernelPath, 'r');
  } catch {
    return 'none'; // Windows, or a sandbox without /dev: OpenSSL's generator is what there is.
  }
  if (fstatSync(descriptor).isCharacterDevice()) return descriptor;
  closeSync(descriptor);
  throw internalError(`${kernelPath} is not a device`);
}

function fillFromKernel(target: Uint8Array): void {
  kernelDescriptor ??= openKernel();
  if (kernelDescriptor === 'none') {
    randomFillSync(target);
    return;
  }
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(kernelDescriptor, target, filled, target.length - filled, null);
    if (count === 0) throw internalError(`${kernelPath} ended`);
    filled += count;
  }
}

/** `bytes` random bytes of their own read: for keys, file ids and message IVs. */
export function randomSecret(bytes: number): Uint8Array {
  const drawn = new Uint8Array(bytes);
  fillFromKernel(drawn);
  return drawn;
}

let pool: Uint8Array | undefined;
let poolUsed = 0;

function discardPool(): void {
  pool?.fill(0);
  pool = undefined;
}

/**
 * Fills `target` with random bytes for nonces. Small requests of one turn of the event loop share a kernel read; what
 * is left when the turn ends is discarded.
 */
export function fillRandom(target: Uint8Array): void {
  const bytes = target.length;
  if (bytes > poolBytes / 8) {
    fillFromKernel(target);
    return;
  }
  if (pool === undefined || poolUsed + bytes > poolBytes) {
    if (pool === undefined) {
      pool = new Uint8Array(poolBytes);
      // Microtasks run before control returns to the event loop.
      queueMicrotask(discardPool);
    }
    fillFromKernel(pool);
    poolUsed = 0;
  }
  for (let i = 0; i < bytes; i++, poolUsed++) {
    target[i] = pool[poolUsed] as number;
    pool[poolUsed] = 0; // what was handed out must not be read again from here
  }
}
