/** What a reader does about writers in other processes: it looks again. */

import type { FileHeader } from '../header/file-header.ts';
import type { Body } from './body.ts';
import type { FileEnvironment } from './environment.ts';
import { attempts, type Located, locateForReading, pause, writerIsLive } from './locate.ts';
import type { Placed } from './placed.ts';
import type { SerialQueue } from './serial-queue.ts';

/** The file that is followed, as its owner sees it now. */
export interface Followed {
  readonly env: FileEnvironment;
  readonly path: string;
  readonly body: Body;
  readonly placed: Placed;
  readonly queue: SerialQueue;
  readonly header: () => FileHeader;
  readonly region: () => Uint8Array;
  /** False when nobody else can change the file, or it is about to be closed. */
  readonly mayChange: () => boolean;
  readonly install: (located: Located) => void;
}

export class OtherWriters {
  readonly #file: Followed;
  #looking: Promise<boolean> | undefined;

  constructor(file: Followed) {
    this.#file = file;
  }

  /** Whether anything was new. Several at a time share one look, unless it was under way before. */
  async look(): Promise<boolean> {
    if (!this.#file.mayChange()) return false;
    const current = this.#looking;
    if (current !== undefined) await current.catch(() => {});
    if (this.#looking !== undefined && this.#looking !== current) return this.#looking;
    // Asked for again: while this one waited the file may have begun to close, and that waits for it.
    if (!this.#file.mayChange()) return false;
    const looking = this.#file.queue.run(async () => this.#look());
    this.#looking = looking;
    try {
      return await looking;
    } finally {
      if (this.#looking === looking) this.#looking = undefined;
    }
  }

  async #look(): Promise<boolean> {
    const { body, env, header, install, mayChange, path, placed, region } = this.#file;
    if (!mayChange()) return true; // opened for writing here while this one waited
    const known = { header: header(), region: region() };
    const before = body.committed;
    const pendingBefore = body.pending.size;
    const located = await placed.withDescriptor(async (fd) => locateForReading(env, fd, path, known));
    const { overlay, state } = located;
    const isNew =
      located.header !== known.header ||
      state.syncSeq !== before.syncSeq ||
      state.bodyBytes !== before.bodyBytes ||
      overlay.size !== pendingBefore;
    if (isNew) install(located);
    return isNew;
  }

  /**
   * A segment could not be read. Returns when another attempt is worth it: something is new, or a writer is at work that may
   * just be writing it. Else throws the error.
   * @param attempt counts from 0
   */
  async excuse(error: unknown, attempt: number): Promise<void> {
    const isOfTheSystem = (error as NodeJS.ErrnoException).syscall !== undefined;
    if (isOfTheSystem || attempt >= attempts || !this.#file.mayChange()) throw error;
    if (await this.look()) return;
    if (!(await writerIsLive(this.#file.env, this.#file.header().fileId))) throw error;
    await pause();
  }
}
