/** What lies on a simulated disk: nodes by number, as inodes are. A node of an image is never changed; it is replaced. */

export type NodeKind = 'file' | 'directory' | 'symlink';

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

interface Common {
  readonly id: number;
  readonly attributes: Attributes;
}

export interface FileNode extends Common {
  readonly kind: 'file';
  readonly content: Uint8Array;
}

export interface DirectoryNode extends Common {
  readonly kind: 'directory';
  readonly entries: ReadonlyMap<string, number>;
}

export interface SymlinkNode extends Common {
  readonly kind: 'symlink';
  readonly target: string;
}

export type DiskNode = FileNode | DirectoryNode | SymlinkNode;

export interface DiskImage {
  readonly nodes: ReadonlyMap<number, DiskNode>;
  /** Numbers from here on have never been given. */
  readonly nextId: number;
}

export const rootId = 1;

export function newAttributes(mode: number, atNs: bigint): Attributes {
  return { mode, uid: 0, gid: 0, atimeNs: atNs, mtimeNs: atNs };
}

/** A disk with nothing but its root directory. */
export function emptyDisk(): DiskImage {
  const attributes = newAttributes(0o755, BigInt(Date.now()) * 1_000_000n);
  return {
    nodes: new Map([[rootId, { kind: 'directory', id: rootId, attributes, entries: new Map() }]]),
    nextId: rootId + 1,
  };
}

/** The path of every node that can be reached, by one of its names. */
export function pathsOf(image: DiskImage): Map<number, string> {
  const paths = new Map<number, string>();
  const visit = (id: number, path: string): void => {
    if (paths.has(id)) return;
    paths.set(id, path === '' ? '/' : path);
    const node = image.nodes.get(id);
    if (node?.kind !== 'directory') return;
    for (const [name, child] of node.entries) visit(child, `${path}/${name}`);
  };
  visit(rootId, '');
  return paths;
}
