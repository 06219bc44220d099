/** One moment at which a run may be cut off, the choices that a disk has then, and what each of them leads to. */

import type { DirectoryNode, DiskImage, DiskNode } from './disk.ts';
import { FileHistory } from './file-history.ts';
import type { EntryChange, Operation } from './operations.ts';

export type NameOrder = 'ordered' | 'any';

export interface CrashOptions {
  readonly sectorBytes: number;
  readonly nameOrder: NameOrder;
  /** By their labels: operations that count as on the disk at once, whatever they do. */
  readonly ignoreNames: (label: string) => boolean;
}

interface NameChange {
  readonly at: number;
  readonly changes: readonly EntryChange[];
  readonly label: string;
  readonly ignored: boolean;
}

/** The choices that there are when the crash comes after `point` operations, and what they lead to. */
export class PointOfCrash {
  readonly #base: DiskImage;
  readonly #created: Map<number, DiskNode> = new Map();
  readonly #operations: readonly Operation[];
  readonly #point: number;
  readonly #files: Map<number, FileHistory> = new Map();
  /** Name changes that are on the disk, or that may be. */
  readonly #names: readonly (NameChange & { readonly safe: boolean })[];
  readonly #nameOrder: NameOrder;
  /** How many choices each position of a vector has. */
  readonly counts: readonly number[];
  /** The positions that choose the size of a file: with an old size most of what else is chosen cannot be seen. */
  readonly sizes: ReadonlySet<number>;

  constructor(
    base: DiskImage,
    operations: readonly Operation[],
    point: number,
    options: CrashOptions,
    histories: Map<string, FileHistory>,
  ) {
    this.#base = base;
    this.#operations = operations;
    this.#point = point;
    this.#nameOrder = options.nameOrder;
    const syncedUpTo = new Map<number, number>();
    const names: NameChange[] = [];
    const onFile = new Map<number, [number, Operation][]>();
    for (let at = 0; at < point; at++) {
      const operation = operations[at] as Operation;
      if (operation.type === 'sync') {
        const { node, upTo } = operation;
        syncedUpTo.set(node, Math.max(upTo, syncedUpTo.get(node) ?? 0));
      }
      if (operation.type === 'entries') {
        const { changes, created, label } = operation;
        if (created !== undefined) this.#created.set(created.id, created);
        names.push({ at, changes, label, ignored: options.ignoreNames(label) });
      } else if (operation.type !== 'acknowledge') {
        const { label, node } = operation;
        const list = onFile.get(node) ?? [];
        onFile.set(node, list);
        list.push([at, operation]);
        if (options.ignoreNames(label)) list.push([at, { type: 'sync', node, upTo: at + 1, label }]);
      }
    }
    for (const [id, list] of onFile) {
      const key = `${id}:${list.length}`;
      let history = histories.get(key);
      if (history === undefined) {
        const node = this.#startOf(id);
        const start = node?.kind === 'file' ? node.content : new Uint8Array();
        history = new FileHistory(start, list, options.sectorBytes);
        histories.set(key, history);
      }
      this.#files.set(id, history);
    }
    this.#names = safeNames(names, syncedUpTo, options.nameOrder);
    const counts: number[] = [];
    const pendingNames = this.#names.filter(({ safe }) => !safe).length;
    if (this.#nameOrder === 'ordered') counts.push(pendingNames + 1);
    else for (let i = 0; i < pendingNames; i++) counts.push(2);
    const sizePositions = new Set<number>();
    for (const { sizes, sectors } of this.#files.values()) {
      sizePositions.add(counts.length);
      counts.push(sizes.length);
      for (const { versions } of sectors) counts.push(versions.length);
    }
    this.counts = counts;
    this.sizes = sizePositions;
  }

  /** Vectors in which whole writes are there or not: every subset when they are few, and every beginning. */
  *wholeWrites(): Generator<number[]> {
    const pending: number[] = [];
    for (let at = 0; at < this.#point; at++) {
      if (this.#isPending(at)) pending.push(at);
    }
    const wanted: ((i: number) => boolean)[] = [];
    for (let length = pending.length; length >= 0; length--) wanted.push((i) => i < length);
    for (let one = 0; one < pending.length; one++)
      wanted.push(
        (i) => i === one,
        (i) => i !== one,
      );
    if (pending.length <= 6) {
      for (let subset = 0; subset < 2 ** pending.length; subset++) {
        wanted.push((i) => (subset >> i) % 2 === 1);
      }
    }
    for (const isWanted of wanted) yield this.#vector(new Set(pending.filter((_, i) => isWanted(i))));
  }

  image(choices: readonly number[]): DiskImage {
    const nodes = new Map(this.#base.nodes);
    for (const [id, node] of this.#created) nodes.set(id, node);
    const entries = new EntryChanges(nodes);
    let at = 0;
    let namesLeft = this.#nameOrder === 'ordered' ? (choices[at++] as number) : 0;
    for (const { changes, safe } of this.#names) {
      const isThere = safe || (this.#nameOrder === 'ordered' ? namesLeft-- > 0 : choices[at++] === 1);
      if (isThere) for (const change of changes) entries.set(change);
    }
    for (const [id, history] of this.#files) {
      const size = choices[at++] as number;
      const sectors = choices.slice(at, at + history.sectors.length);
      at += history.sectors.length;
      const node = nodes.get(id);
      if (node?.kind !== 'file') continue;
      const content = history.content(size, sectors);
      nodes.set(id, { ...node, content });
    }
    return { nodes, nextId: this.#base.nextId + this.#created.size + 1_000 };
  }

  missing(choices: readonly number[]): string[] {
    const missing: string[] = [];
    let at = 0;
    let namesLeft = this.#nameOrder === 'ordered' ? (choices[at++] as number) : 0;
    for (const { label, safe } of this.#names) {
      if (!safe && !(this.#nameOrder === 'ordered' ? namesLeft-- > 0 : choices[at++] === 1))
        missing.push(label);
    }
    for (const [id, { sizes, sectors }] of this.#files) {
      const labelOf = (number: number): string => `${number} ${this.#operations[number]?.label}`;
      const size = choices[at++] as number;
      for (const { at: number, size: bytes } of sizes.slice(size + 1)) {
        missing.push(`size ${bytes} of node ${id} (${labelOf(number)})`);
      }
      for (const { index, versions } of sectors) {
        const chosen = choices[at++] as number;
        for (const { at: number } of versions.slice(chosen + 1)) {
          missing.push(`sector ${index} of node ${id} (${labelOf(number)})`);
        }
      }
    }
    return missing;
  }

  #startOf(id: number): DiskNode | undefined {
    return this.#base.nodes.get(id) ?? this.#created.get(id);
  }

  #isPending(at: number): boolean {
    const { type } = this.#operations[at] as Operation;
    if (type === 'entries') return this.#names.some((name) => name.at === at && !name.safe);
    if (type !== 'write' && type !== 'truncate') return false;
    for (const { sizes, sectors } of this.#files.values()) {
      if (sizes.some((size) => size.at === at)) return true;
      if (sectors.some(({ versions }) => versions.some((version) => version.at === at))) return true;
    }
    return false;
  }

  /** The choices by which of the pending operations exactly these are there. */
  #vector(there: ReadonlySet<number>): number[] {
    const choices: number[] = [];
    const pendingNames = this.#names.filter(({ safe }) => !safe);
    if (this.#nameOrder === 'ordered') {
      const firstMissing = pendingNames.findIndex(({ at }) => !there.has(at));
      choices.push(firstMissing === -1 ? pendingNames.length : firstMissing);
    } else for (const { at } of pendingNames) choices.push(there.has(at) ? 1 : 0);
    const last = (versions: readonly { at: number }[]): number =>
      Math.max(
        0,
        versions.findLastIndex(({ at }) => there.has(at)),
      );
    for (const { sizes, sectors } of this.#files.values()) {
      choices.push(last(sizes));
      for (const { versions } of sectors) choices.push(last(versions));
    }
    return choices;
  }
}

function safeNames(
  names: readonly NameChange[],
  syncedUpTo: ReadonlyMap<number, number>,
  order: NameOrder,
): (NameChange & { readonly safe: boolean })[] {
  const isSynced = ({ at, changes }: NameChange): boolean =>
    changes.some(({ directory }) => at < (syncedUpTo.get(directory) ?? 0));
  const lastSafe = names.findLastIndex(isSynced);
  return names.map((name, i) => ({
    ...name,
    safe: name.ignored || (order === 'ordered' ? i <= lastSafe : isSynced(name)),
  }));
}

/** Changes entries of directories, each of which is copied once. */
class EntryChanges {
  readonly #nodes: Map<number, DiskNode>;
  readonly #copied: Map<number, Map<string, number>> = new Map();

  constructor(nodes: Map<number, DiskNode>) {
    this.#nodes = nodes;
  }

  set({ directory, name, node }: EntryChange): void {
    let entries = this.#copied.get(directory);
    if (entries === undefined) {
      const before = this.#nodes.get(directory) as DirectoryNode;
      entries = new Map(before.entries);
      this.#copied.set(directory, entries);
      this.#nodes.set(directory, { ...before, entries });
    }
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}
