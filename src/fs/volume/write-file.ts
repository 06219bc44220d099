/** Writing a whole file: atomic, and on the disk when it ends if the volume is durable. */

import { throwIfAborted } from '../../options.ts';
import { removeTemporaryFile } from '../../os/replacing-file.ts';
import type { WritableData } from './data.ts';
import { pieces, wholeData } from './data.ts';
import { type Destination, destinationOf } from './destination.ts';
import type { Mounted } from './mounted.ts';
import { NewContent, type NewContentOptions, writeWhole } from './new-content.ts';

export interface WriteRequest extends NewContentOptions {
  readonly exclusive: boolean;
  readonly encoding: BufferEncoding | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Replaces the content of a file, or makes it.
 * @throws errno as `fs.promises.writeFile`, EBUSY with `holderPid`; VolsealError `ERR_VOLSEAL_OUTSIDE_VOLUME`,
 *   `ERR_VOLSEAL_ABORTED` and what the keyring throws
 */
export async function writeWholeFile(
  mounted: Mounted,
  path: string,
  data: WritableData,
  request: WriteRequest,
): Promise<void> {
  const { encoding, exclusive, signal } = request;
  throwIfAborted(signal);
  const whole = wholeData(data, encoding);
  const plainBytes = whole?.length ?? 0;
  const checkAborted = (): void => throwIfAborted(signal);
  if (whole !== undefined) {
    const write = (destination: Destination): Promise<void> =>
      writeWhole(mounted, destination, { data: whole, plainBytes }, request, checkAborted);
    await replacing(mounted, path, exclusive, write, request.mode);
    return;
  }
  await replacing(mounted, path, exclusive, async (destination) => {
    const content = await NewContent.start(mounted, destination, request);
    try {
      for await (const piece of pieces(data, encoding, [signal, mounted.givingUp])) {
        await content.write([piece]);
      }
      checkAborted();
      await content.commit();
    } catch (error) {
      await content.abort();
      throw error;
    }
  });
}

/**
 * Finds out where a new content goes, and has it written there.
 * @param temporaryMode makes a temporary file already, which `write` takes over at once
 */
export async function replacing<T>(
  mounted: Mounted,
  path: string,
  exclusive: boolean,
  write: (destination: Destination) => Promise<T>,
  temporaryMode?: number,
): Promise<T> {
  const { holder, system } = mounted;
  return holder.using(async () => {
    // Another process may have made another volume key the primary one.
    const [found, refreshed] = await Promise.allSettled([
      destinationOf(mounted, path, exclusive, temporaryMode),
      holder.refresh(),
    ]);
    if (found.status === 'rejected') throw found.reason;
    const destination = found.value;
    try {
      if (refreshed.status === 'rejected') {
        if (destination.temporary !== undefined) await removeTemporaryFile(system, destination.temporary);
        throw refreshed.reason;
      }
      return await write(destination);
    } finally {
      await mounted.swept.release(destination);
    }
  });
}
