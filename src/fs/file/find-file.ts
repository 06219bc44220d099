/** From a descriptor to what is needed to read the file, or to read and write it. */

import type { BigIntStats } from 'node:fs';

import { uninitialised } from '../../memory.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import { type FileHeader, openHeader } from '../header/file-header.ts';
import type { HeldLock } from '../locks/file-locks.ts';
import { Body } from './body.ts';
import { type FileEnvironment, lockForWriting } from './environment.ts';
import { locateForReading } from './locate.ts';
import { Placed } from './placed.ts';
import { type KnownHeader, recover } from './recover.ts';
import { verifyWriteOnce, writeOnceError } from './write-once.ts';

export interface OpenFileOptions {
  /** For errors: as the caller named it. */
  readonly path: string;
  readonly write: boolean;
  /** What `fstat` said of the descriptor just now, when the caller has asked already: saves the call for a large write-once file. */
  readonly stats?: BigIntStats | undefined;
}

/** Read with the header: a small file is there as a whole then, with one system call. */
const startBytes = 20_480;
const headerStartBytes = 4_096;

/** A file as it was found. */
export interface Found {
  readonly header: FileHeader;
  /** Of a file that is not open for writing: the header region, to see whether it changes. */
  readonly region: Uint8Array;
  readonly body: Body;
  readonly placed: Placed;
  readonly taken?: Taken;
}

/** What was found with the write lock. */
export interface Taken {
  readonly lock: HeldLock;
  readonly stats: BigIntStats;
}

/** The descriptor stays the caller's when this fails. */
export async function findFile(env: FileEnvironment, fd: number, options: OpenFileOptions): Promise<Found> {
  const { path, write } = options;
  const wantedBytes = write ? headerStartBytes : startBytes;
  const start = await readUpTo(env.system, fd, uninitialised(wantedBytes), 0);
  const header = await openHeader(env.system, env.keyring, fd, start, path);
  try {
    if (header.kind === 'write-once') return await findWriteOnce(env, fd, options, header, start);
    // Of a header longer than what was read, all is read again: zeros are never equal to it.
    const region = new Uint8Array(header.regionBytes);
    if (start.length >= region.length) region.set(start.subarray(0, region.length));
    const known = { header, region };
    return write
      ? await findForWriting(env, fd, path, known)
      : await findForReading(env, fd, path, known, start);
  } catch (error) {
    header.wipe();
    throw error;
  }
}

async function findWriteOnce(
  env: FileEnvironment,
  fd: number,
  { path, stats, write }: OpenFileOptions,
  header: FileHeader,
  start: Uint8Array,
): Promise<Found> {
  if (write) throw writeOnceError(path);
  const fileBytes =
    start.length < startBytes ? start.length : Number((stats ?? (await env.system.fstat(fd))).size);
  const body = new Body(header.layout, env.cache.forFile());
  const placed = new Placed(env.system, fd, header.regionBytes, header.layout, start);
  body.takeShape(await verifyWriteOnce(header, body, placed, fileBytes));
  return { header, body, placed, region: start.subarray(0, 0) };
}

async function findForReading(
  env: FileEnvironment,
  fd: number,
  path: string,
  known: KnownHeader,
  start: Uint8Array,
): Promise<Found> {
  const { header, overlay, region, shape, state } = await locateForReading(env, fd, path, known);
  if (header !== known.header) known.header.wipe();
  const body = new Body(header.layout, env.cache.forFile());
  // What was read before a change of the header may be from before it, too.
  const usable = header === known.header ? start : undefined;
  const placed = new Placed(env.system, fd, header.regionBytes, header.layout, usable);
  body.install(state, shape, overlay);
  return { header, body, placed, region };
}

async function findForWriting(
  env: FileEnvironment,
  fd: number,
  path: string,
  known: KnownHeader,
): Promise<Found> {
  const lock = await lockForWriting(env, known.header.fileId, path);
  try {
    const { located, start, stats } = await recover(env, fd, path, known, startBytes);
    const { header, shape, state } = located;
    if (header !== known.header) known.header.wipe();
    const body = new Body(header.layout, env.cache.forFile());
    const placed = new Placed(env.system, fd, header.regionBytes, header.layout, start);
    body.install(state, shape, new Map());
    return { header, body, placed, region: new Uint8Array(0), taken: { lock, stats } };
  } catch (error) {
    await lock.release().catch(() => {});
    throw error;
  }
}
