/**
 * What a crash can leave of the content of one file.
 *
 * What was synced is there. Of everything after the last sync each sector holds any of the states it went through, on
 * its own; so does the size, whatever sectors have made it. Two things are promised by every file system: a sector
 * never shows what a truncation that did happen has cut off, nor what was written after a truncation that did not
 * happen (the blocks are new ones).
 */

import type { Operation } from './operations.ts';

interface Version {
  /** Number of the operation that made it; -1 for what was there before. */
  readonly at: number;
  /** Covered by a sync that failed: no later sync makes it safe. */
  isLost: boolean;
}

interface SectorVersion extends Version {
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
}

interface SizeVersion extends Version {
  readonly size: number;
}

export interface PendingSector {
  readonly index: number;
  /** Version 0 is certainly there, if none of the others is. */
  readonly versions: readonly SectorVersion[];
}

export class FileHistory {
  readonly #sectorBytes: number;
  /** What is certain of the sectors that are not pending, whatever the size. */
  readonly #settled: GrowingContent;
  readonly #cached: GrowingContent;
  readonly #pending: Map<number, SectorVersion[]> = new Map();
  #sizes: SizeVersion[];
  /** Those that were built: most choices leave most files alone. */
  readonly #contents: Map<string, Uint8Array> = new Map();
  readonly sectors: readonly PendingSector[];

  /** `operations` are those on this file with their numbers, in order. */
  constructor(start: Uint8Array, operations: readonly (readonly [number, Operation])[], sectorBytes: number) {
    this.#sectorBytes = sectorBytes;
    this.#settled = new GrowingContent(start);
    this.#cached = new GrowingContent(start);
    this.#sizes = [{ at: -1, size: start.length, isLost: false }];
    for (const [at, operation] of operations) {
      switch (operation.type) {
        case 'write':
        case 'truncate':
          this.#change(at, operation);
          break;
        case 'sync':
          this.#settle(operation.upTo);
          break;
        case 'lost':
          this.#lose(operation.upTo);
          break;
        case 'entries':
        case 'acknowledge':
          break;
      }
    }
    this.sectors = [...this.#pending].map(([index, versions]) => ({ index, versions }));
  }

  /** Version 0 is certain, if none of the others is there. */
  get sizes(): readonly SizeVersion[] {
    return this.#sizes;
  }

  /** The content with the chosen version of the size and of each sector; choices that cannot be are moved to ones that can. */
  content(sizeVersion: number, sectorVersions: readonly number[]): Uint8Array {
    const key = `${sizeVersion}:${sectorVersions.join()}`;
    let content = this.#contents.get(key);
    if (content === undefined) {
      content = this.#build(sizeVersion, sectorVersions);
      this.#contents.set(key, content);
    }
    return content;
  }

  #build(sizeVersion: number, sectorVersions: readonly number[]): Uint8Array {
    const { at: sizeAt, size } = this.#sizes[sizeVersion] as SizeVersion;
    const content = new Uint8Array(size);
    this.#settled.copyTo(content);
    for (const [i, { index, versions }] of this.sectors.entries()) {
      const offset = index * this.#sectorBytes;
      if (offset >= size) continue;
      let chosen = sectorVersions[i] as number;
      for (const [number, { at, isCut }] of versions.entries()) {
        if (!isCut) continue;
        if (at <= sizeAt) chosen = Math.max(chosen, number);
        else {
          chosen = Math.max(0, Math.min(chosen, number - 1));
          break;
        }
      }
      const { bytes } = versions[chosen] as SectorVersion;
      content.set(bytes.subarray(0, Math.min(bytes.length, size - offset)), offset);
    }
    return content;
  }

  #change(at: number, operation: Operation & { type: 'write' | 'truncate' }): void {
    const [cached, sectorBytes] = [this.#cached, this.#sectorBytes];
    const isCut = operation.type === 'truncate';
    const from = isCut ? operation.size : operation.offset;
    const to = isCut ? cached.size : from + operation.data.length;
    const first = Math.floor(from / sectorBytes);
    const before: Uint8Array[] = [];
    for (let index = first; index * sectorBytes < to; index++) before.push(cached.sector(index, sectorBytes));
    const sizeBefore = cached.size;
    if (isCut) cached.resize(operation.size);
    else cached.write(operation.data, operation.offset);
    if (cached.size !== sizeBefore) this.#sizes.push({ at, size: cached.size, isLost: false });
    for (const [i, old] of before.entries()) {
      const index = first + i;
      const bytes = cached.sector(index, sectorBytes);
      const versions = this.#pending.get(index);
      // What changes nothing is no choice; but it is another chance for what was given up.
      if (!isCut && versions?.at(-1)?.isLost !== true && Buffer.compare(bytes, old) === 0) continue;
      const version = { at, bytes, isCut, isLost: false };
      if (versions === undefined) {
        this.#pending.set(index, [{ at: -1, bytes: old, isCut: false, isLost: false }, version]);
      } else versions.push(version);
    }
  }

  #settle(upTo: number): void {
    this.#sizes = sinceSynced(this.#sizes, upTo);
    for (const [index, versions] of this.#pending) {
      const left = sinceSynced(versions, upTo);
      if (left.length > 1) this.#pending.set(index, left);
      else {
        this.#pending.delete(index);
        this.#settled.write((left[0] as SectorVersion).bytes, index * this.#sectorBytes);
      }
    }
  }

  #lose(upTo: number): void {
    for (const versions of [this.#sizes, ...this.#pending.values()]) {
      for (const version of versions.slice(1)) if (version.at < upTo) version.isLost = true;
    }
  }
}

function sinceSynced<T extends Version>(versions: T[], upTo: number): T[] {
  const last = versions.findLastIndex(({ at, isLost }) => at < upTo && !isLost);
  return last <= 0 ? versions : versions.slice(last);
}

/** A file as the page cache has it: zeros beyond the end. */
class GrowingContent {
  #bytes: Uint8Array;
  #size: number;

  constructor(start: Uint8Array) {
    this.#bytes = Uint8Array.from(start);
    this.#size = start.length;
  }

  get size(): number {
    return this.#size;
  }

  copyTo(target: Uint8Array): void {
    target.set(this.#bytes.subarray(0, target.length));
  }

  sector(index: number, sectorBytes: number): Uint8Array {
    const sector = new Uint8Array(sectorBytes);
    sector.set(this.#bytes.subarray(index * sectorBytes, (index + 1) * sectorBytes));
    return sector;
  }

  write(data: Uint8Array, offset: number): void {
    if (offset + data.length > this.#size) this.resize(offset + data.length);
    this.#bytes.set(data, offset);
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(2 * size);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }
}
