/**
 * Reading a whole file at once, without making it an open file first.
 *
 * System calls of a file that fits into the first read (its header and 16 KiB): open; readlink of the descriptor, read and
 * stat of the directory of journals, at the same time; close. A larger one: a read for each MiB more. While journals come
 * and go: access of its journal and a second read more.
 */

import { constants } from 'node:fs';

import { bytesEqual, hex } from '../../bytes.ts';
import { checkContext } from '../../envelope/context.ts';
import { hasErrno } from '../../errno.ts';
import { bodyShape } from '../../floe/layout.ts';
import { minProviderRegionBytes } from '../../limits.ts';
import { throwIfAborted } from '../../options.ts';
import type { FileEnvironment } from '../file/environment.ts';
import { OpenFile } from '../file/open-file.ts';
import { fileTooLarge } from '../handle/argument-errors.ts';
import { parseOpenFlags } from '../handle/flags.ts';
import { readToEnd } from '../handle/whole-file.ts';
import { type FileHeader, openHeader } from '../header/file-header.ts';
import { journalPath } from '../journal/read-journal.ts';
import type { Demand } from './context.ts';
import type { Mounted } from './mounted.ts';
import { openBody } from './open-body.ts';
import type { OpeningPlace } from './paths.ts';

/** A header region of a mutable file and one whole segment of the usual size. */
const firstReadBytes = minProviderRegionBytes + 16_384;
const mostBufferBytes = 2 ** 31 - 1;

/** Buffers for sealed bytes that wait for the next file. */
const spareBuffers: Uint8Array[] = [];
const mostSpareBuffers = 8;

interface ReadRequest {
  readonly path: string;
  readonly demand: Demand;
  readonly signal: AbortSignal | undefined;
}

/**
 * The plaintext of a file. Every byte of it is authenticated, and so is its length.
 * @throws errno as `fs.promises.readFile`; VolsealError `ERR_VOLSEAL_NOT_SEALED`, `ERR_VOLSEAL_OUTSIDE_VOLUME`,
 *   `ERR_VOLSEAL_CONTEXT_MISMATCH`, `ERR_VOLSEAL_ABORTED` and what opening a file throws
 */
export async function readWholeFile(mounted: Mounted, request: ReadRequest): Promise<Buffer> {
  throwIfAborted(request.signal);
  const { background, environment, paths, system } = mounted;
  const opening = await paths.opening(request.path, constants.O_RDONLY);
  const { descriptor } = opening;
  let isOurs = true;
  try {
    const content = await readAtOnce(mounted, opening, request);
    if (content === 'shared') return await readShared(mounted, await opening.place, request);
    if (content !== undefined) return content;
    isOurs = false;
    const file = await OpenFile.open(environment, descriptor, { path: request.path, write: false });
    try {
      return await readOpened(file, file.header, request);
    } finally {
      await file.close();
    }
  } finally {
    // Closing a file that was only read tells nothing; the content need not wait for it.
    if (isOurs) background.run(system.close(descriptor));
  }
}

/** What handles of this process wrote is not on the disk yet. */
async function readShared(
  { files, paths }: Mounted,
  relativePath: string,
  request: ReadRequest,
): Promise<Buffer> {
  const { path } = request;
  const entry = await paths.entry(`/${relativePath}`, 'absent');
  try {
    const lease = await files.open(entry.systemPath, { flags: parseOpenFlags('r'), mode: 0, path });
    try {
      return await readOpened(lease.file, lease, request);
    } finally {
      await lease.release();
    }
  } finally {
    await entry.release();
  }
}

async function readOpened(
  file: Parameters<typeof readToEnd>[0],
  { context }: Pick<FileHeader, 'context'>,
  { demand, signal }: ReadRequest,
): Promise<Buffer> {
  checkContext(context, demand.context, demand.exact);
  return readToEnd(file, 0, signal);
}

/**
 * Reads the file as it lies on the disk. `shared` when handles of this process write to it; undefined when that is not its
 * content for another reason, because a journal is ahead of it or somebody else is writing, or is not authentic: opening it
 * as any other file finds out.
 */
async function readAtOnce(
  mounted: Mounted,
  { descriptor, place }: OpeningPlace,
  { demand, path, signal }: ReadRequest,
): Promise<Buffer | 'shared' | undefined> {
  const { environment, files, system } = mounted;
  const buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(firstReadBytes);
  let header: FileHeader | undefined;
  try {
    const read = async (): Promise<Uint8Array> =>
      buffer.subarray(0, await system.read(descriptor, buffer, 0, buffer.length, 0));
    const [placed, reading, known, looking] = await Promise.allSettled([
      place,
      read(),
      mounted.journals?.names(),
      files.size > 0 ? system.fstat(descriptor) : undefined,
    ]);
    if (placed.status === 'rejected') throw placed.reason;
    if (looking.status === 'rejected') throw looking.reason;
    if (looking.value !== undefined && files.find(looking.value)?.writable === true) return 'shared';
    if (reading.status === 'rejected') throw reading.reason;
    let start = reading.value;
    header = await openHeader(system, environment.keyring, descriptor, start, path);
    checkContext(header.context, demand.context, demand.exact);
    if (header.kind === 'mutable') {
      const names = known.status === 'fulfilled' ? known.value : undefined;
      if (names === undefined) {
        const current = await currentStart(environment, header, start, read);
        if (current === undefined) return undefined;
        start = current;
      } else if (names.has(hex(header.fileId))) {
        return undefined;
      }
    }
    const bodyBytes =
      header.kind === 'mutable'
        ? header.state.bodyBytes
        : (start.length < buffer.length ? start.length : Number((await system.fstat(descriptor)).size)) -
          header.regionBytes;
    const shape = bodyShape(header.layout, bodyBytes);
    if (shape === undefined) return undefined;
    if (shape.plainBytes > mostBufferBytes) throw fileTooLarge(shape.plainBytes);
    return await openBody(system, descriptor, header, shape, start.subarray(header.regionBytes), signal);
  } finally {
    header?.wipe();
    if (spareBuffers.length < mostSpareBuffers) spareBuffers.push(buffer);
  }
}

/**
 * The first bytes of the file at a time when it has no journal. Those that were read before that was known may be older
 * than a journal that has been written back and removed since.
 */
async function currentStart(
  environment: FileEnvironment,
  { fileId, regionBytes }: FileHeader,
  start: Uint8Array,
  read: () => Promise<Uint8Array>,
): Promise<Uint8Array | undefined> {
  if (await hasJournal(environment, fileId)) return undefined;
  const region = new Uint8Array(start.subarray(0, regionBytes));
  const current = await read();
  return bytesEqual(region, current.subarray(0, regionBytes)) ? current : undefined;
}

async function hasJournal(
  { journalDirectory, system }: FileEnvironment,
  fileId: Uint8Array,
): Promise<boolean> {
  try {
    await system.access(journalPath(journalDirectory, fileId));
    return true;
  } catch (error) {
    // Anything else must not pass for an absent journal; opening the file says what is wrong.
    return !hasErrno(error, 'ENOENT');
  }
}
