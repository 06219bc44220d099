/**
 * A whole new content of a file, that is there as a whole or not at all: sealed under a new data key into a temporary
 * file of the same directory, which then takes the place of the old one.
 */

import type { Suite } from '../../aead/suite.ts';
import { concatBytes } from '../../bytes.ts';
import { type BodyState, emptyState } from '../../envelope/v1/copy.ts';
import { bodyBytes } from '../../floe/layout.ts';
import { floeParameters } from '../../floe/parameters.ts';
import type { Context } from '../../kms/provider.ts';
import { releaseParts } from '../../memory.ts';
import { invalidArgument } from '../../options.ts';
import { ReplacingFile } from '../../os/replacing-file.ts';
import { ByteQueue } from '../../stream/byte-queue.ts';
import { writeAll } from '../../os/descriptor-bytes.ts';
import { FileHeader, type NewFileHeader } from '../header/file-header.ts';
import { checkReplaceable, type Destination } from './destination.ts';
import type { Mounted } from './mounted.ts';
import { NewBody } from './new-body.ts';

export interface NewContentOptions {
  /** A write-once body. */
  readonly immutable: boolean;
  readonly context: Context | undefined;
  /** Of a file that replaces none; the process's umask is taken off. */
  readonly mode: number;
  /** Permission bits that it gets in any case. */
  readonly exactMode?: number | undefined;
  /** Whether it is on the disk when it is committed. */
  readonly durable: boolean;
  /** Default: the policy's. */
  readonly suite?: Suite | undefined;
  /** Sealed bytes of a segment. Default: the policy's. */
  readonly segmentBytes?: number | undefined;
}

/** Sealed bytes are gathered to about this much before they are written. */
const batchBytes = 1_048_576;
const joinedBytes = 65_536;

interface Started {
  readonly file: ReplacingFile;
  readonly made: NewFileHeader;
}

/** The header is made while the disk is waited for. */
async function start(
  mounted: Mounted,
  destination: Destination,
  options: NewContentOptions,
  plainBytes: number | undefined,
): Promise<Started> {
  const { environment, system } = mounted;
  const { owner } = environment;
  const creating = ReplacingFile.create(system, destination.systemPath, {
    mode: options.mode,
    exclusive: destination.exclusive,
    known: destination.known,
    temporary: destination.temporary,
    ...(owner === undefined ? {} : { owner }),
  });
  let made: NewFileHeader;
  try {
    made = newHeader(mounted, options, plainBytes);
  } catch (error) {
    await creating.then(
      (file) => file.abort(),
      () => {},
    );
    throw error;
  }
  try {
    return { file: await creating, made };
  } catch (error) {
    new NewBody(made).wipe();
    throw error;
  }
}

function newHeader(
  { environment }: Mounted,
  options: NewContentOptions,
  plainBytes: number | undefined,
): NewFileHeader {
  const { keyring } = environment;
  const { context, immutable, segmentBytes, suite } = options;
  if (immutable) return FileHeader.create(keyring, { kind: 'write-once', context, suite, segmentBytes });
  let state: BodyState | undefined;
  if (plainBytes !== undefined) {
    const { policy } = keyring;
    const parameters = floeParameters(suite ?? policy.suite, segmentBytes ?? policy.segmentBytes, 'mutable');
    state = { ...emptyState, bodyBytes: bodyBytes(parameters.layout, plainBytes) };
  }
  return FileHeader.create(keyring, { kind: 'mutable', context, suite, segmentBytes, state });
}

/** Takes the name, with nobody writing to what had it before. */
function commit(
  { files }: Mounted,
  { systemPath }: Destination,
  file: ReplacingFile,
  { durable, exactMode }: NewContentOptions,
): Promise<void> {
  const renaming = (rename: () => Promise<void>): Promise<void> => files.replacing(systemPath, rename);
  return file.commit({ durable, mode: exactMode, renaming });
}

/** Bytes that are there as a whole. */
export interface WholeContent {
  readonly data: Uint8Array;
  /** How many they were when the caller gave them. */
  readonly plainBytes: number;
}

/** For little data one `writev` of everything. */
export async function writeWhole(
  mounted: Mounted,
  destination: Destination,
  { data, plainBytes }: WholeContent,
  options: NewContentOptions,
  checkAborted: () => void,
): Promise<void> {
  const { file, made } = await start(mounted, destination, options, plainBytes);
  const body = new NewBody(made);
  const writer = new BatchWriter(mounted, file.fd);
  try {
    const { plainSegmentBytes } = body.layout;
    writer.add([made.region]);
    let plainOffset = 0;
    do {
      checkUnchanged(data, plainBytes);
      const end = Math.min(plainBytes, plainOffset + plainSegmentBytes);
      const final = end === plainBytes;
      writer.add(body.seal(end === plainOffset ? [] : [data.subarray(plainOffset, end)], final));
      plainOffset = end;
      if (!final && writer.waitingBytes < batchBytes) continue;
      checkAborted();
      await writer.put();
    } while (plainOffset < plainBytes);
    await writer.done();
    checkAborted();
    // Where nothing was a moment ago there is nothing to ask about.
    if (destination.known === 'absent') await file.commit({ durable: options.durable });
    else await commit(mounted, destination, file, options);
  } catch (error) {
    await writer.done().catch(() => {});
    await file.abort();
    throw error;
  } finally {
    body.wipe();
  }
}

/** The header says already how much it is. A buffer that is transferred or resized meanwhile would leave another length. */
function checkUnchanged(data: Uint8Array, plainBytes: number): void {
  if (data.length === plainBytes) return;
  throw invalidArgument(
    `the data became ${data.length} bytes long while it was written; it had ${plainBytes}`,
    'do not transfer or resize a buffer before writeFile has ended',
  );
}

/** Parts that are written one batch after the other, the next being sealed meanwhile. */
class BatchWriter {
  readonly #mounted: Mounted;
  readonly #fd: number;
  #parts: Uint8Array[] = [];
  #fileOffset = 0;
  #writing: Promise<void> = Promise.resolve();
  /** Bytes that were added and not put yet. */
  waitingBytes = 0;

  constructor(mounted: Mounted, fd: number) {
    this.#mounted = mounted;
    this.#fd = fd;
  }

  add(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.waitingBytes += part.length;
      this.#parts.push(part);
    }
  }

  /** Starts to write what was added, as soon as the batch before has been written. */
  async put(): Promise<void> {
    const [parts, fileOffset] = [this.#parts, this.#fileOffset];
    this.#fileOffset += this.waitingBytes;
    this.#parts = [];
    this.waitingBytes = 0;
    await this.#writing;
    this.#writing = this.#write(parts, fileOffset);
    this.#writing.catch(() => {}); // awaited later, or not at all after another failure
  }

  async #write(parts: readonly Uint8Array[], fileOffset: number): Promise<void> {
    const { system } = this.#mounted;
    const bytes = this.#fileOffset - fileOffset;
    // One part is written much faster than a few, even with the copy.
    if (bytes <= joinedBytes) return writeAll(system, this.#fd, [concatBytes(...parts)], fileOffset);
    await writeAll(system, this.#fd, parts, fileOffset);
    releaseParts(parts);
  }

  done(): Promise<void> {
    return this.#writing;
  }
}

/** Content that comes in pieces, of a length that is only known at the end. */
export class NewContent {
  readonly #mounted: Mounted;
  readonly #file: ReplacingFile;
  readonly #made: NewFileHeader;
  readonly #body: NewBody;
  readonly #writer: BatchWriter;
  readonly #queue: ByteQueue = new ByteQueue();
  readonly #destination: Destination;
  readonly #options: NewContentOptions;

  private constructor(
    mounted: Mounted,
    destination: Destination,
    options: NewContentOptions,
    { file, made }: Started,
  ) {
    this.#mounted = mounted;
    this.#destination = destination;
    this.#options = options;
    this.#file = file;
    this.#made = made;
    this.#body = new NewBody(made);
    this.#writer = new BatchWriter(mounted, file.fd);
    this.#writer.add([made.region]);
  }

  /**
   * Makes the temporary file. What comes back must be committed or aborted. Whether somebody writes to what is there is asked
   * again at the end: here to refuse before all the work.
   */
  static async start(
    mounted: Mounted,
    destination: Destination,
    options: NewContentOptions,
  ): Promise<NewContent> {
    await checkReplaceable(mounted, destination);
    const started = await start(mounted, destination, options, undefined);
    return new NewContent(mounted, destination, options, started);
  }

  /** Takes the bytes: the caller may change them when this resolves. One call at a time. */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) this.#queue.push(chunk);
    const { plainSegmentBytes } = this.#body.layout;
    // Exactly one segment in the queue may be the last one, which is sealed as such.
    while (this.#queue.length > plainSegmentBytes) {
      this.#writer.add(this.#body.seal(this.#queue.take(plainSegmentBytes), false));
      if (this.#writer.waitingBytes >= batchBytes) await this.#writer.put();
    }
    this.#queue.own();
  }

  /** Makes it the content of the file. After a failure call {@link abort}. */
  async commit(): Promise<void> {
    const { header } = this.#made;
    this.#writer.add(this.#body.seal(this.#queue.take(this.#queue.length), true));
    await this.#writer.put();
    await this.#writer.done();
    if (header.kind === 'mutable') {
      const region = header.regionWith({ ...emptyState, bodyBytes: this.#body.sealedBytes });
      await writeAll(this.#mounted.system, this.#file.fd, [region], 0);
    }
    await commit(this.#mounted, this.#destination, this.#file, this.#options);
    this.#body.wipe();
  }

  /** Leaves the old content as it was. Never throws; after a `commit` that succeeded it does nothing. */
  async abort(): Promise<void> {
    await this.#writer.done().catch(() => {});
    this.#body.wipe();
    this.#queue.clear();
    await this.#file.abort();
  }
}
