/**
 * The files and directories of a simulated file system as they are being used: finding them by path, changing them, and
 * writing down what was changed. Permissions are kept but not enforced.
 */

import type { BigIntStats } from 'node:fs';

import { errnoError } from '../../src/errno.ts';
import {
  type Attributes,
  type DirectoryNode,
  type DiskImage,
  type DiskNode,
  type FileNode,
  newAttributes,
  pathsOf,
  rootId,
} from './disk.ts';
import type { EntryChange, Operation } from './operations.ts';
import { simulatedStats } from './simulated-stats.ts';

/** A file as it is being changed; `bytes` has room to grow. */
interface LiveFile {
  kind: 'file';
  id: number;
  attributes: Attributes;
  bytes: Uint8Array;
  size: number;
}

export type LiveNode = LiveFile | Exclude<DiskNode, FileNode>;

export interface Found {
  /** Where the last part of the path is looked up. */
  readonly directory: number;
  readonly name: string;
  /** Undefined: there is nothing of that name. */
  readonly node: number | undefined;
}

export interface LiveDiskOptions {
  /** Taken off the mode of what is made. 0o022 by default. */
  readonly umask?: number;
  /** What all files together may hold; beyond it writes are cut short, then fail with ENOSPC. Endless by default. */
  readonly capacityBytes?: number;
  /** How long ago the image was left so, in milliseconds: its times lie so far back. */
  readonly imageAgeMs?: number;
}

/** As many links in a row as Linux follows. */
const maxLinks = 40;
const maxNameBytes = 255;

export class LiveDisk {
  readonly #nodes: Map<number, LiveNode> = new Map();
  readonly #parents: Map<number, number> = new Map();
  /** Contents that belong to an image. */
  readonly #frozen: WeakSet<Uint8Array> = new WeakSet();
  readonly #options: LiveDiskOptions;
  /** What a descriptor is open on. */
  readonly #nodeOf: (descriptor: number) => number | undefined;
  #nextId: number;
  #clockNs: bigint = BigInt(Date.now()) * 1_000_000n;
  #recording: Operation[] | undefined;
  #usedBytes = 0;
  #contentChanges = 0;

  constructor(
    image: DiskImage,
    options: LiveDiskOptions,
    nodeOf: (descriptor: number) => number | undefined,
  ) {
    this.#options = options;
    this.#nodeOf = nodeOf;
    this.#nextId = image.nextId;
    const ageNs = BigInt(options.imageAgeMs ?? 0) * 1_000_000n;
    for (const [id, node] of image.nodes) {
      if (node.kind === 'file') {
        const { content } = node;
        const attributes = { ...node.attributes, mtimeNs: node.attributes.mtimeNs - ageNs };
        this.#nodes.set(id, { kind: 'file', id, attributes, bytes: content, size: content.length });
        this.#frozen.add(content);
        this.#usedBytes += content.length;
      } else {
        this.#nodes.set(id, node);
        if (node.kind !== 'directory') continue;
        for (const child of node.entries.values()) this.#parents.set(child, id);
      }
    }
  }

  /** How often the content of any file has changed. */
  get contentChanges(): number {
    return this.#contentChanges;
  }

  /** Everything as it is now. */
  image(): DiskImage {
    const nodes = new Map<number, DiskNode>();
    for (const [id, node] of this.#nodes) {
      if (node.kind !== 'file') {
        nodes.set(id, node);
        continue;
      }
      const { attributes, bytes, size } = node;
      nodes.set(id, { kind: 'file', id, attributes, content: bytes.slice(0, size) });
    }
    return { nodes, nextId: this.#nextId };
  }

  /** From now on operations are appended to the array that this returns. */
  record(): Operation[] {
    this.#recording = [];
    return this.#recording;
  }

  /** How many operations were recorded. */
  get recorded(): number {
    return this.#recording?.length ?? 0;
  }

  log(operation: Operation): void {
    if (operation.type === 'write' || operation.type === 'truncate') this.#contentChanges++;
    this.#recording?.push(operation);
  }

  node(id: number): LiveNode {
    return this.#nodes.get(id) as LiveNode;
  }

  walk(path: string, syscall: string, follow: boolean, dest?: string): Found {
    const fail = (code: string): Error => errnoError(code, syscall, path, dest);
    if (!path.startsWith('/')) throw fail('ENOENT');
    let left = path.split('/').filter((part) => part !== '');
    const mustBeDirectory = path.endsWith('/');
    let directory = rootId;
    let links = 0;
    const held = /^\/proc\/self\/fd\/(\d+)(?:\/|$)/.exec(path);
    if (held !== null) {
      // What a descriptor stands for, whatever its name is now.
      const open = this.#nodeOf(Number(held[1]));
      if (open === undefined) throw fail('ENOENT');
      left = left.slice(4);
      if (left.length === 0) return { directory: open, name: '.', node: open };
      directory = open;
    }
    for (;;) {
      const name = left.shift();
      if (name === undefined || (name === '.' && left.length === 0)) {
        return { directory, name: '.', node: directory };
      }
      const current = this.node(directory);
      if (current.kind !== 'directory') throw fail('ENOTDIR');
      if (name === '.') continue;
      if (name === '..') {
        directory = this.#parents.get(directory) ?? rootId;
        continue;
      }
      if (Buffer.byteLength(name) > maxNameBytes) throw fail('ENAMETOOLONG');
      const id = current.entries.get(name);
      const isLast = left.length === 0;
      if (id === undefined) {
        // Nothing can be made in a directory that was removed, though it may be held open.
        if (isLast && (directory === rootId || this.#hasName(current))) {
          return { directory, name, node: undefined };
        }
        throw fail('ENOENT');
      }
      const node = this.node(id);
      if (node.kind === 'symlink' && (!isLast || follow || mustBeDirectory)) {
        if (++links > maxLinks) throw fail('ELOOP');
        if (node.target.startsWith('/')) directory = rootId;
        left = [...node.target.split('/').filter((part) => part !== ''), ...left];
        continue;
      }
      if (isLast) {
        if (mustBeDirectory && node.kind !== 'directory') throw fail('ENOTDIR');
        return { directory, name, node: id };
      }
      if (node.kind !== 'directory') throw fail('ENOTDIR');
      directory = id;
    }
  }

  /** Where it was found, for people. */
  pathOf({ directory, name }: Found): string {
    let path = name === '.' ? '' : `/${name}`;
    for (let at = directory; at !== rootId; ) {
      const parent = this.#parents.get(at);
      if (parent === undefined) break;
      path = `/${this.#nameOf(parent, at)}${path}`;
      at = parent;
    }
    return path === '' ? '/' : path;
  }

  /** The path of a node by the name it was found with, while it has that; else by any. */
  pathOfNode(id: number, found?: Found): string | undefined {
    const directory = found === undefined ? undefined : this.#nodes.get(found.directory);
    if (found !== undefined && directory?.kind === 'directory' && directory.entries.get(found.name) === id) {
      return this.pathOf(found);
    }
    const nodes = this.#nodes as unknown as ReadonlyMap<number, DiskNode>;
    return pathsOf({ nodes, nextId: this.#nextId }).get(id);
  }

  make(found: Found, kind: DiskNode['kind'], mode: number, label: string, target = ''): number {
    const id = this.#nextId++;
    const umask = kind === 'symlink' ? 0 : (this.#options.umask ?? 0o022);
    const attributes = newAttributes(mode & ~umask, this.#tick());
    let created: DiskNode;
    if (kind === 'file') {
      created = { kind, id, attributes, content: new Uint8Array() };
      this.#nodes.set(id, { kind, id, attributes, bytes: new Uint8Array(256), size: 0 });
    } else {
      created =
        kind === 'directory'
          ? { kind, id, attributes, entries: new Map() }
          : { kind, id, attributes, target };
      this.#nodes.set(id, created);
    }
    this.apply([{ directory: found.directory, name: found.name, node: id }], label, created);
    return id;
  }

  apply(changes: readonly (EntryChange & Partial<Found>)[], label: string, created?: DiskNode): void {
    const plain = changes.map(({ directory, name, node }): EntryChange => ({ directory, name, node }));
    for (const { directory, name, node } of plain) {
      const before = this.node(directory) as DirectoryNode;
      const entries = new Map(before.entries);
      if (node === undefined) entries.delete(name);
      else {
        entries.set(name, node);
        this.#parents.set(node, directory);
      }
      const attributes = { ...before.attributes, mtimeNs: this.#tick() };
      this.#nodes.set(directory, { ...before, entries, attributes });
    }
    this.log({ type: 'entries', changes: plain, label, ...(created && { created }) });
  }

  /** Writes as much as fits; how many bytes that were. */
  write(id: number, parts: readonly Uint8Array[], offset: number, path: string): number {
    const file = this.node(id) as LiveFile;
    const data = Buffer.concat(parts);
    const room = (this.#options.capacityBytes ?? Infinity) - this.#usedBytes + file.size;
    const fitting = data.subarray(0, Math.max(0, room - offset));
    if (fitting.length === 0) throw errnoError('ENOSPC', 'write');
    this.#put(file, fitting, offset);
    const label = `write ${fitting.length} at ${offset} of ${path}`;
    this.log({ type: 'write', node: id, offset, data: fitting, label });
    return fitting.length;
  }

  #put(file: LiveFile, data: Uint8Array, offset: number): void {
    const end = offset + data.length;
    this.#makeRoom(file, end);
    file.bytes.set(data, offset);
    if (end > file.size) {
      this.#usedBytes += end - file.size;
      file.size = end;
    }
    file.attributes = { ...file.attributes, mtimeNs: this.#tick() };
  }

  /** What lies beyond the end is always zero. */
  #makeRoom(file: LiveFile, bytes: number): void {
    if (bytes <= file.bytes.length && !this.#frozen.has(file.bytes)) return;
    const larger = new Uint8Array(Math.max(bytes, file.size, Math.min(2 * bytes, bytes + 2 ** 20), 256));
    larger.set(file.bytes.subarray(0, file.size));
    file.bytes = larger;
  }

  setSize(id: number, size: number, label: string): void {
    const file = this.node(id);
    if (file.kind !== 'file') throw errnoError('EISDIR', 'ftruncate');
    if (size === file.size) return;
    this.#makeRoom(file, size);
    if (size < file.size) file.bytes.fill(0, size, file.size);
    this.#usedBytes += size - file.size;
    file.size = size;
    file.attributes = { ...file.attributes, mtimeNs: this.#tick() };
    this.log({ type: 'truncate', node: id, size, label });
  }

  change(id: number, changes: Partial<Attributes>): void {
    const node = this.node(id);
    const attributes = {
      ...node.attributes,
      ...changes,
      mode: (changes.mode ?? node.attributes.mode) & 0o7777,
    };
    if (node.kind === 'file') node.attributes = attributes;
    else this.#nodes.set(id, { ...node, attributes });
  }

  stats(id: number): BigIntStats {
    const node = this.node(id);
    let size = 4_096;
    if (node.kind === 'file') ({ size } = node);
    else if (node.kind === 'symlink') size = Buffer.byteLength(node.target);
    return simulatedStats(node.kind, id, node.attributes, size, this.#linkCount(node));
  }

  #linkCount(node: LiveNode): number {
    if (node.kind === 'directory') return 2;
    let count = 0;
    for (const other of this.#nodes.values()) {
      if (other.kind !== 'directory') continue;
      for (const child of other.entries.values()) if (child === node.id) count++;
    }
    return count;
  }

  isWithin(id: number, ancestor: number): boolean {
    for (let at: number | undefined = id; at !== undefined; at = this.#parents.get(at)) {
      if (at === ancestor) return true;
    }
    return false;
  }

  /** Files that nobody names or has open any more give their room back. */
  dropIfUnreachable(id: number, isOpen: boolean): void {
    const node = this.node(id);
    if (node === undefined || id === rootId || this.#hasName(node)) return;
    if (isOpen) return;
    if (node.kind === 'file') this.#usedBytes -= node.size;
    this.#nodes.delete(id);
  }

  #hasName(node: LiveNode): boolean {
    if (node.kind !== 'directory') return this.#linkCount(node) > 0;
    const parent = this.#parents.get(node.id);
    return parent !== undefined && this.#nameOf(parent, node.id) !== '?';
  }

  #nameOf(directory: number, id: number): string {
    const { entries } = this.node(directory) as DirectoryNode;
    for (const [name, child] of entries) if (child === id) return name;
    return '?';
  }

  #tick(): bigint {
    this.#clockNs += 1_000n;
    return this.#clockNs;
  }
}
