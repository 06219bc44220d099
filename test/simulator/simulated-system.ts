/**
 * A file system in memory behind the seam of src/os/system.ts, which records what is done to it.
 *
 * It behaves as Linux does for the superuser: same errors, files that live on while they are open, symbolic and hard
 * links. Calls take effect in the order in which they were made, but never before the caller's turn ends; a sync covers
 * what had taken effect when it was called, so a write that is not awaited before the sync is not covered. Permissions
 * are kept but not enforced.
 */

import { type BigIntStats, constants } from 'node:fs';

import { errnoError, hasErrno } from '../../src/errno.ts';
import type { Entry, System } from '../../src/os/system.ts';
import { type Attributes, type DiskImage, emptyDisk, rootId } from './disk.ts';
import { type Found, LiveDisk, type LiveDiskOptions, type LiveNode } from './live-disk.ts';
import type { Operation } from './operations.ts';

interface Descriptor {
  readonly node: number;
  readonly flags: number;
  /** When it was opened. */
  readonly path: string;
  /** By which name it was opened. */
  readonly directory: number;
  readonly name: string;
}

export interface SimulatedSystemOptions extends LiveDiskOptions {
  /** Without them `link` fails with EPERM. */
  readonly hardLinks?: boolean;
}

/** Linux has it, Node does not name it: a descriptor that only stands for a place. */
const O_PATH = 0o10000000;
const accessBits = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
export class SimulatedSystem implements System {
  readonly #disk: LiveDisk;
  readonly #descriptors: Map<number, Descriptor> = new Map();
  readonly #hardLinks: boolean;
  #nextDescriptor = 1_000;

  constructor(image: DiskImage = emptyDisk(), options: SimulatedSystemOptions = {}) {
    this.#hardLinks = options.hardLinks ?? true;
    this.#disk = new LiveDisk(image, options, (descriptor) => this.#descriptors.get(descriptor)?.node);
  }

  /** Descriptors that are open now, by the path they were opened with. */
  get openDescriptors(): readonly string[] {
    return [...this.#descriptors.values()].map(({ path }) => path);
  }

  /** How often the content of any file has changed. */
  get contentChanges(): number {
    return this.#disk.contentChanges;
  }

  /** Everything as it is now. */
  image(): DiskImage {
    return this.#disk.image();
  }

  /** From now on operations are appended to the array that this returns. */
  record(): Operation[] {
    return this.#disk.record();
  }

  /** A sync of this descriptor fails, and what it should have covered is given up (see operations.ts). */
  failSync(descriptor: number): void {
    const { node, path } = this.#descriptor(descriptor, 'fsync');
    const upTo = this.#disk.recorded;
    this.#disk.log({ type: 'lost', node, upTo, label: `failed sync of ${path}` });
  }

  acknowledge(value: unknown): void {
    this.#disk.log({ type: 'acknowledge', value, label: 'acknowledged' });
  }

  // ---- descriptors

  open(path: string, flags: number, mode = 0o666): Promise<number> {
    return this.#later(() => {
      const place = (flags & O_PATH) !== 0;
      const write = (flags & accessBits) !== constants.O_RDONLY;
      const creating = !place && (flags & constants.O_CREAT) !== 0;
      const exclusive = creating && (flags & constants.O_EXCL) !== 0;
      const noFollow = exclusive || (flags & constants.O_NOFOLLOW) !== 0;
      const found = this.#disk.walk(path, 'open', !noFollow);
      const where = this.#disk.pathOf(found);
      let id = found.node;
      if (id === undefined) {
        if (!creating || (path.endsWith('/') && path !== '/')) throw errnoError('ENOENT', 'open', path);
        id = this.#disk.make(found, 'file', mode, `create ${where}`);
      } else {
        if (exclusive) throw errnoError('EEXIST', 'open', path);
        const node = this.#disk.node(id);
        if (node.kind !== 'directory' && (flags & constants.O_DIRECTORY) !== 0) {
          throw errnoError('ENOTDIR', 'open', path);
        }
        if (node.kind === 'symlink' && !place) throw errnoError('ELOOP', 'open', path);
        if (node.kind === 'directory' && !place && (write || creating)) {
          throw errnoError('EISDIR', 'open', path);
        }
        if ((flags & constants.O_TRUNC) !== 0 && !place)
          this.#disk.setSize(id, 0, `truncate ${where} (open)`);
      }
      const descriptor = this.#nextDescriptor++;
      const { directory, name } = found;
      this.#descriptors.set(descriptor, { node: id, flags, path: where, directory, name });
      return descriptor;
    });
  }

  close(descriptor: number): Promise<void> {
    return this.#later(() => {
      const { node } = this.#descriptor(descriptor, 'close');
      this.#descriptors.delete(descriptor);
      this.#drop(node);
    });
  }

  read(
    descriptor: number,
    target: Uint8Array,
    targetOffset: number,
    length: number,
    fileOffset: number,
  ): Promise<number> {
    return this.#later(() => {
      // Node asks nobody for nothing.
      if (length === 0) return 0;
      const { node, flags } = this.#descriptor(descriptor, 'read');
      if ((flags & accessBits) === constants.O_WRONLY || (flags & O_PATH) !== 0) {
        throw errnoError('EBADF', 'read');
      }
      const file = this.#disk.node(node);
      if (file.kind !== 'file') throw errnoError('EISDIR', 'read');
      const count = Math.max(0, Math.min(length, file.size - fileOffset));
      target.set(file.bytes.subarray(fileOffset, fileOffset + count), targetOffset);
      return count;
    });
  }

  writev(descriptor: number, parts: readonly Uint8Array[], fileOffset: number): Promise<number> {
    return this.#later(() => {
      const { node, flags, path } = this.#descriptor(descriptor, 'write');
      if ((flags & accessBits) === constants.O_RDONLY) throw errnoError('EBADF', 'write');
      const file = this.#disk.node(node) as LiveNode & { size: number };
      if (parts.every((part) => part.length === 0)) return 0;
      const offset = (flags & constants.O_APPEND) === 0 ? fileOffset : file.size;
      return this.#disk.write(node, parts, offset, path);
    });
  }

  fdatasync(descriptor: number): Promise<void> {
    return this.#sync(descriptor, 'fdatasync');
  }

  fsync(descriptor: number): Promise<void> {
    return this.#sync(descriptor, 'fsync');
  }

  ftruncate(descriptor: number, length: number): Promise<void> {
    return this.#later(() => {
      const { node, flags, path } = this.#descriptor(descriptor, 'ftruncate');
      if ((flags & accessBits) === constants.O_RDONLY) throw errnoError('EINVAL', 'ftruncate');
      this.#disk.setSize(node, length, `truncate ${path} to ${length}`);
    });
  }

  fstat(descriptor: number): Promise<BigIntStats> {
    return this.#later(() => this.#disk.stats(this.#descriptor(descriptor, 'fstat').node));
  }

  fchmod(descriptor: number, mode: number): Promise<void> {
    return this.#later(() => this.#disk.change(this.#descriptor(descriptor, 'fchmod').node, { mode }));
  }

  fchown(descriptor: number, uid: number, gid: number): Promise<void> {
    return this.#later(() => this.#disk.change(this.#descriptor(descriptor, 'fchown').node, { uid, gid }));
  }

  futimes(descriptor: number, atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    return this.#later(() =>
      this.#disk.change(this.#descriptor(descriptor, 'futime').node, times(atimeSeconds, mtimeSeconds)),
    );
  }

  pathOf(descriptor: number): Promise<string | undefined> {
    return this.#later(() => {
      const { directory, name, node, path } = this.#descriptor(descriptor, 'readlink');
      return this.#disk.pathOfNode(node, { directory, name, node }) ?? `${path} (deleted)`;
    });
  }

  // ---- paths

  stat(path: string): Promise<BigIntStats> {
    return this.#later(() => this.#disk.stats(this.#existing(path, 'stat', true)));
  }

  lstat(path: string): Promise<BigIntStats> {
    return this.#later(() => this.#disk.stats(this.#existing(path, 'lstat', false)));
  }

  lookAgain(path: string): Promise<BigIntStats | undefined> {
    return this.lstat(path).catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
  }

  access(path: string, _mode?: number): Promise<void> {
    return this.#later(() => {
      this.#existing(path, 'access', true);
    });
  }

  readdir(path: string): Promise<Entry[]> {
    return this.#later(() => {
      const node = this.#disk.node(this.#existing(path, 'scandir', true));
      if (node.kind !== 'directory') throw errnoError('ENOTDIR', 'scandir', path);
      return [...node.entries].map(([name, id]): Entry => ({ name, kind: this.#disk.node(id).kind }));
    });
  }

  mkdir(path: string, mode = 0o777): Promise<void> {
    return this.#later(() => {
      const found = this.#disk.walk(path, 'mkdir', false);
      if (found.node !== undefined) throw errnoError('EEXIST', 'mkdir', path);
      this.#disk.make(found, 'directory', mode, `mkdir ${this.#disk.pathOf(found)}`);
    });
  }

  rmdir(path: string): Promise<void> {
    return this.#later(() => {
      const found = this.#disk.walk(path, 'rmdir', false);
      const node = this.#present(found, 'rmdir', path);
      if (node.kind !== 'directory') throw errnoError('ENOTDIR', 'rmdir', path);
      if (node.id === rootId) throw errnoError('EBUSY', 'rmdir', path);
      if (node.entries.size > 0) throw errnoError('ENOTEMPTY', 'rmdir', path);
      this.#disk.apply([{ ...found, node: undefined }], `rmdir ${this.#disk.pathOf(found)}`);
      this.#drop(node.id);
    });
  }

  unlink(path: string): Promise<void> {
    return this.#later(() => {
      const found = this.#disk.walk(path, 'unlink', false);
      const node = this.#present(found, 'unlink', path);
      if (node.kind === 'directory') throw errnoError('EISDIR', 'unlink', path);
      this.#disk.apply([{ ...found, node: undefined }], `unlink ${this.#disk.pathOf(found)}`);
      this.#drop(node.id);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#later(() => {
      const source = this.#disk.walk(from, 'rename', false, to);
      const target = this.#disk.walk(to, 'rename', false, from);
      const moved = this.#present(source, 'rename', from, to);
      const fail = (code: string): Error => errnoError(code, 'rename', from, to);
      if (moved.kind === 'directory' && this.#disk.isWithin(target.directory, moved.id)) throw fail('EINVAL');
      if (target.node === moved.id) return;
      const replaced = target.node === undefined ? undefined : this.#disk.node(target.node);
      if (replaced === undefined) {
        if (to.endsWith('/') && moved.kind !== 'directory') throw fail('ENOTDIR');
      } else if (moved.kind === 'directory') {
        if (replaced.kind !== 'directory') throw fail('ENOTDIR');
        if (replaced.entries.size > 0) throw fail('ENOTEMPTY');
      } else if (replaced.kind === 'directory') throw fail('EISDIR');
      this.#disk.apply(
        [
          { ...source, node: undefined },
          { ...target, node: moved.id },
        ],
        `rename ${this.#disk.pathOf(source)} -> ${this.#disk.pathOf(target)}`,
      );
      if (replaced !== undefined) this.#drop(replaced.id);
    });
  }

  link(from: string, to: string): Promise<void> {
    return this.#later(() => {
      const source = this.#disk.walk(from, 'link', false, to);
      const node = this.#present(source, 'link', from, to);
      const target = this.#disk.walk(to, 'link', false, from);
      if (target.node !== undefined) throw errnoError('EEXIST', 'link', from, to);
      if (node.kind === 'directory' || !this.#hardLinks) {
        throw errnoError('EPERM', 'link', from, to);
      }
      this.#disk.apply(
        [{ ...target, node: node.id }],
        `link ${this.#disk.pathOf(source)} -> ${this.#disk.pathOf(target)}`,
      );
    });
  }

  symlink(target: string, path: string): Promise<void> {
    return this.#later(() => {
      const found = this.#disk.walk(path, 'symlink', false);
      if (found.node !== undefined) throw errnoError('EEXIST', 'symlink', target, path);
      this.#disk.make(found, 'symlink', 0o777, `symlink ${this.#disk.pathOf(found)}`, target);
    });
  }

  readlink(path: string): Promise<string> {
    return this.#later(() => {
      const node = this.#disk.node(this.#existing(path, 'readlink', false));
      if (node.kind !== 'symlink') throw errnoError('EINVAL', 'readlink', path);
      return node.target;
    });
  }

  realpath(path: string): Promise<string> {
    return this.#later(() => {
      const found = this.#disk.walk(path, 'realpath', true);
      const node = this.#present(found, 'realpath', path);
      return found.name === '.' ? (this.#disk.pathOfNode(node.id) as string) : this.#disk.pathOf(found);
    });
  }

  chmod(path: string, mode: number): Promise<void> {
    return this.#later(() => this.#disk.change(this.#existing(path, 'chmod', true), { mode }));
  }

  chown(path: string, uid: number, gid: number): Promise<void> {
    return this.#later(() => this.#disk.change(this.#existing(path, 'chown', true), { uid, gid }));
  }

  lchown(path: string, uid: number, gid: number): Promise<void> {
    return this.#later(() => this.#disk.change(this.#existing(path, 'lchown', false), { uid, gid }));
  }

  utimes(path: string, atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    return this.#later(() =>
      this.#disk.change(this.#existing(path, 'utime', true), times(atimeSeconds, mtimeSeconds)),
    );
  }

  lutimes(path: string, atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    return this.#later(() =>
      this.#disk.change(this.#existing(path, 'lutime', false), times(atimeSeconds, mtimeSeconds)),
    );
  }

  // ---- how it works

  #later<T>(effect: () => T): Promise<T> {
    return Promise.resolve().then(effect);
  }

  #sync(descriptor: number, name: 'fsync' | 'fdatasync'): Promise<void> {
    const upTo = this.#disk.recorded;
    return this.#later(() => {
      const { flags, node, path } = this.#descriptor(descriptor, name);
      if ((flags & O_PATH) !== 0) throw errnoError('EBADF', name);
      this.#disk.log({ type: 'sync', node, upTo, label: `${name} ${path}` });
    });
  }

  #descriptor(descriptor: number, syscall: string): Descriptor {
    const open = this.#descriptors.get(descriptor);
    if (open === undefined) throw errnoError('EBADF', syscall);
    return open;
  }

  #existing(path: string, syscall: string, follow: boolean): number {
    return this.#present(this.#disk.walk(path, syscall, follow), syscall, path).id;
  }

  #present(found: Found, syscall: string, path: string, dest?: string): LiveNode {
    if (found.node === undefined) throw errnoError('ENOENT', syscall, path, dest);
    return this.#disk.node(found.node);
  }

  #drop(node: number): void {
    this.#disk.dropIfUnreachable(
      node,
      [...this.#descriptors.values()].some((open) => open.node === node),
    );
  }
}

function times(atimeSeconds: number, mtimeSeconds: number): Partial<Attributes> {
  const inNs = (seconds: number): bigint => BigInt(Math.round(seconds * 1e6)) * 1_000n;
  return { atimeNs: inNs(atimeSeconds), mtimeNs: inNs(mtimeSeconds) };
}
