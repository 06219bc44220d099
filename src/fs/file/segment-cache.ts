/**
 * Plaintext segments in memory, shared by all files of a volume and bounded by bytes.
 *
 * Two lists in order of use: what was read once, and what was read again. Room is made from the first one as long as it has more
 * than a quarter of the bytes, so that one pass over a large file does not drive out what is used all the time.
 *
 * Buffers belong to the cache while they are in it, and are wiped when they leave it: a caller copies what it needs before it
 * gives up control.
 */

interface Link {
  previous: Link;
  next: Link;
}

class Entry implements Link {
  previous: Link = this;
  next: Link = this;
  again = false;
  readonly owner: CachedFile;
  readonly index: number;
  readonly plain: Uint8Array;

  constructor(owner: CachedFile, index: number, plain: Uint8Array) {
    this.owner = owner;
    this.index = index;
    this.plain = plain;
  }
}

/** A ring around itself: `next` was used last. */
class UseOrder implements Link {
  previous: Link = this;
  next: Link = this;
  bytes = 0;

  addFirst(entry: Entry): void {
    entry.previous = this;
    entry.next = this.next;
    this.next.previous = entry;
    this.next = entry;
    this.bytes += entry.plain.byteLength;
  }

  remove(entry: Entry): void {
    entry.previous.next = entry.next;
    entry.next.previous = entry.previous;
    this.bytes -= entry.plain.byteLength;
  }

  get last(): Entry | undefined {
    return this.previous instanceof Entry ? this.previous : undefined;
  }
}

export class SegmentCache {
  readonly maxBytes: number;
  readonly #once: UseOrder = new UseOrder();
  readonly #again: UseOrder = new UseOrder();
  #closed = false;

  /** @param maxBytes plaintext bytes; 0 keeps nothing */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#once.bytes + this.#again.bytes;
  }

  /** The part of one open file. */
  forFile(): CachedFile {
    return new CachedFile(this);
  }

  /** Overwrites everything and keeps nothing from now on. */
  wipe(): void {
    this.#closed = true;
    for (;;) {
      const entry = this.#once.last ?? this.#again.last;
      if (entry === undefined) return;
      this.#evict(entry);
    }
  }

  /** @internal */
  used(entry: Entry): void {
    const order = entry.again ? this.#again : this.#once;
    if (entry.again && order.next === entry) return;
    order.remove(entry);
    entry.again = true;
    this.#again.addFirst(entry);
  }

  /** @internal False when there is no room for it at all. */
  add(entry: Entry): boolean {
    const bytes = entry.plain.byteLength;
    if (!this.fits(bytes)) return false;
    while (this.bytes + bytes > this.maxBytes) {
      const order =
        this.#once.bytes * 4 > this.maxBytes || this.#again.bytes === 0 ? this.#once : this.#again;
      const last = order.last;
      if (last === undefined) break; // segments without plaintext weigh nothing
      this.#evict(last);
    }
    this.#once.addFirst(entry);
    return true;
  }

  /** @internal */
  fits(bytes: number): boolean {
    return !this.#closed && bytes <= this.maxBytes;
  }

  /** @internal */
  remove(entry: Entry): void {
    (entry.again ? this.#again : this.#once).remove(entry);
  }

  #evict(entry: Entry): void {
    entry.owner.drop(entry.index);
  }
}

export class CachedFile {
  readonly #cache: SegmentCache;
  readonly #entries: Map<number, Entry> = new Map();

  /** @internal Use {@link SegmentCache.forFile}. */
  constructor(cache: SegmentCache) {
    this.#cache = cache;
  }

  /** Whether a segment of so many bytes would be kept. */
  fits(bytes: number): boolean {
    return this.#cache.fits(bytes);
  }

  has(index: number): boolean {
    return this.#entries.has(index);
  }

  /** The plaintext of a segment, to be read only and before control is given up. */
  get(index: number): Uint8Array | undefined {
    const entry = this.#entries.get(index);
    if (entry === undefined) return undefined;
    this.#cache.used(entry);
    return entry.plain;
  }

  /** Takes a buffer over. It replaces what was there. */
  put(index: number, plain: Uint8Array): void {
    this.drop(index);
    const entry = new Entry(this, index, plain);
    if (this.#cache.add(entry)) this.#entries.set(index, entry);
    else plain.fill(0);
  }

  /** As {@link get}, without counting as a use. */
  peek(index: number): Uint8Array | undefined {
    return this.#entries.get(index)?.plain;
  }

  /** Gives a buffer back to the caller, who may change it. */
  take(index: number): Uint8Array | undefined {
    const entry = this.#entries.get(index);
    if (entry === undefined) return undefined;
    this.#entries.delete(index);
    this.#cache.remove(entry);
    return entry.plain;
  }

  drop(index: number): void {
    this.take(index)?.fill(0);
  }

  /** Drops this segment and all behind it. */
  dropFrom(index: number): void {
    for (const cached of this.#entries.keys()) if (cached >= index) this.drop(cached);
  }

  clear(): void {
    this.dropFrom(0);
  }
}
