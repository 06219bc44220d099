/** Plaintext of a file of a volume into a file outside, or a stream. */

import type { Stats } from 'node:fs';
import type { Writable } from 'node:stream';

import { VolsealError } from '../../errors.ts';
import { abortError, throwIfAborted } from '../../options.ts';
import { openDestination } from '../../sealed/endpoints.ts';
import { whenAborted } from '../../stream/follow-signal.ts';
import type { Sink } from '../../stream/sink.ts';
import { standardStream } from '../destinations.ts';
import { inTermsOf } from './failures.ts';
import { smallBytes } from './source-tree.ts';
import type { VolumeTree } from './volume-tree.ts';

export interface DrawOptions {
  readonly source: string;
  readonly sourceStats: Stats | undefined;
  /** `-` is standard output. */
  readonly destination: string;
  readonly stdout: Writable;
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  advance(doneBytes: number): void;
}

const permissionBits = 0o777;

/**
 * The destination is there as a whole or not at all; standard output gets authenticated pieces as they come.
 * @returns the bytes
 * @throws VolsealError in terms of the end that failed
 */
export async function draw(tree: VolumeTree, options: DrawOptions): Promise<number> {
  const { destination, overwrite, signal, sourceStats, stdout } = options;
  throwIfAborted(signal);
  let gone: { readonly error: unknown } | undefined;
  const target = destination === standardStream ? 'standard output' : destination;
  const modeOfNew = sourceStats === undefined ? undefined : sourceStats.mode & permissionBits;
  const from = chunksOf(tree, options);
  const stop = (error: unknown): void => {
    gone ??= { error };
    from.destroy();
  };
  const unfollow = whenAborted(signal, () => stop(abortError(signal)));
  try {
    const to = await openDestination(
      destination === standardStream ? stdout : destination,
      { overwrite },
      modeOfNew,
      stop,
    ).catch((error: unknown) => {
      throw inTermsOf(target, error);
    });
    try {
      const bytes = await copy(from, to.sink, target, options);
      if (gone !== undefined) throw gone.error;
      await to.commit().catch((error: unknown) => {
        throw inTermsOf(target, error);
      });
      return bytes;
    } catch (error) {
      await to.abort(error);
      throw gone === undefined ? error : inTermsOf(target, gone.error);
    }
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  } finally {
    unfollow();
    from.destroy();
  }
}

interface Chunks extends AsyncIterable<Uint8Array> {
  destroy(): unknown;
}

function chunksOf(tree: VolumeTree, { source, sourceStats }: DrawOptions): Chunks {
  if (sourceStats === undefined || sourceStats.size > smallBytes) {
    const stream = tree.read(source);
    stream.on('error', () => {}); // told by who reads it, but not if that has not begun
    return stream;
  }
  return {
    async *[Symbol.asyncIterator]() {
      yield await tree.readWhole(source);
    },
    destroy() {},
  };
}

async function copy(
  from: Chunks,
  sink: Sink,
  target: string,
  { advance, source }: DrawOptions,
): Promise<number> {
  let bytes = 0;
  let writing = false;
  try {
    for await (const chunk of from) {
      bytes += chunk.length;
      writing = true;
      await sink.write([chunk]);
      writing = false;
      advance(bytes);
    }
    return bytes;
  } catch (error) {
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_ABORTED') throw error;
    throw inTermsOf(writing ? target : source, error);
  }
}
