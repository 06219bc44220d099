/** Plaintext from a source into the file of a volume. */

import type { Readable } from 'node:stream';

import type { Context } from '../../kms/provider.ts';
import { abortError, throwIfAborted } from '../../options.ts';
import { whenAborted } from '../../stream/follow-signal.ts';
import { fromSystemError } from '../../system-error.ts';
import { standardStream } from '../destinations.ts';
import { inTermsOf } from './failures.ts';
import { smallBytes, type SourceTree } from './source-tree.ts';
import type { VolumeTree } from './volume-tree.ts';

export interface PourOptions {
  readonly source: string;
  readonly destination: string;
  /** Bytes of the source, where it tells. */
  readonly bytes: number | undefined;
  readonly replace: boolean;
  /** Of the new file, exactly; undefined for one that replaces another and takes its mode. */
  readonly mode: number | undefined;
  readonly context: Context | undefined;
  readonly signal: AbortSignal;
  advance(doneBytes: number): void;
}

/** Where the bytes are. */
export type Spring = Readable | { readonly tree: SourceTree };

/**
 * Pours all of a source into a file of a volume, which is there as a whole then, or not at all.
 * @returns the bytes
 * @throws VolsealError in terms of the end that failed
 */
export async function pour(from: Spring, tree: VolumeTree, options: PourOptions): Promise<number> {
  const { destination, signal, source } = options;
  throwIfAborted(signal);
  if (!('tree' in from)) return pourStream(from, tree, options);
  if ((options.bytes ?? Infinity) > smallBytes) return pourStream(from.tree.read(source), tree, options);
  const data = await from.tree.readWhole(source).catch((error: unknown) => {
    throw inTermsOf(source, error);
  });
  try {
    await write(tree, data, options);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : inTermsOf(destination, error);
  }
  return data.length;
}

async function pourStream(from: Readable, tree: VolumeTree, options: PourOptions): Promise<number> {
  const { advance, destination, signal, source } = options;
  let bytes = 0;
  let failure: { readonly error: unknown } | undefined;
  async function* pieces(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for await (const chunk of from as AsyncIterable<Uint8Array>) {
        bytes += chunk.length;
        yield chunk;
        advance(bytes);
      }
    } catch (error) {
      failure ??= { error };
      throw error;
    }
  }
  // A read that waits for the other end of a pipe ends with this.
  const unfollow = whenAborted(signal, () => from.destroy(abortError(signal)));
  from.on('error', () => {}); // told by the loop above, but not when that has ended
  try {
    await write(tree, pieces(), options);
    return bytes;
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    if (failure === undefined) throw inTermsOf(destination, error);
    if (source === standardStream) throw fromSystemError(failure.error, undefined);
    throw inTermsOf(source, failure.error);
  } finally {
    unfollow();
    from.destroy();
  }
}

async function write(
  tree: VolumeTree,
  data: Uint8Array | AsyncIterable<Uint8Array>,
  { context, destination, mode, replace, signal }: PourOptions,
): Promise<void> {
  const path = tree.inside(destination);
  await tree.volume.writeFile(path, data, {
    flag: replace ? 'w' : 'wx',
    signal,
    ...(mode === undefined ? {} : { mode }),
    ...(context === undefined ? {} : { context }),
  });
  if (mode !== undefined) await tree.settleMode(destination, mode);
}
