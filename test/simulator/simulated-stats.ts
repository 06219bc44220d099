/** `BigIntStats` of a simulated node. Node has no constructor for them that may be called. */

import { type BigIntStats, constants } from 'node:fs';

import type { Attributes, NodeKind } from './disk.ts';

const typeBits: Readonly<Record<NodeKind, number>> = {
  file: constants.S_IFREG,
  directory: constants.S_IFDIR,
  symlink: constants.S_IFLNK,
};

export function simulatedStats(
  kind: NodeKind,
  id: number,
  { mode, uid, gid, atimeNs, mtimeNs }: Attributes,
  size: number,
  links: number,
): BigIntStats {
  const inMs = (ns: bigint): bigint => ns / 1_000_000n;
  const asDate = (ns: bigint): Date => new Date(Number(inMs(ns)));
  return {
    dev: 1n,
    ino: BigInt(id),
    mode: BigInt(typeBits[kind] | mode),
    nlink: BigInt(links),
    uid: BigInt(uid),
    gid: BigInt(gid),
    rdev: 0n,
    size: BigInt(size),
    blksize: 4_096n,
    blocks: BigInt(Math.ceil(size / 512)),
    atimeNs,
    mtimeNs,
    ctimeNs: mtimeNs,
    birthtimeNs: mtimeNs,
    atimeMs: inMs(atimeNs),
    mtimeMs: inMs(mtimeNs),
    ctimeMs: inMs(mtimeNs),
    birthtimeMs: inMs(mtimeNs),
    atime: asDate(atimeNs),
    mtime: asDate(mtimeNs),
    ctime: asDate(mtimeNs),
    birthtime: asDate(mtimeNs),
    isFile: () => kind === 'file',
    isDirectory: () => kind === 'directory',
    isSymbolicLink: () => kind === 'symlink',
    isBlockDevice: () => false,
    isCharacterDevice: () => false,
    isFIFO: () => false,
    isSocket: () => false,
  };
}
