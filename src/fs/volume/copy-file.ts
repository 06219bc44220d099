/** Copying a file: the plaintext goes under a new data key, so that nothing of the one can be put into the other. */

import { type BigIntStats, constants } from 'node:fs';

import { errnoError } from '../../errno.ts';
import type { HandleTarget } from '../handle/handle-target.ts';
import type { FileHeader } from '../header/file-header.ts';
import { OpenFile } from '../file/open-file.ts';
import { parseOpenFlags } from '../handle/flags.ts';
import { withPlace } from './attributes.ts';
import type { Destination } from './destination.ts';
import { isDurable, type Mounted } from './mounted.ts';
import { NewContent } from './new-content.ts';
import { replacing } from './write-file.ts';

/** Plaintext that is held at a time. */
const stepBytes = 1_048_576;
const permissionBits = 0o7777n;

interface Source {
  readonly file: HandleTarget;
  readonly header: FileHeader;
  readonly stats: BigIntStats;
}

/**
 * `fs.copyFile`. Kind, suite, segment size and context of the file are kept, and its permission bits, as Node does it.
 * @param exclusive the destination must not be there
 */
export async function copyOneFile(
  mounted: Mounted,
  from: string,
  to: string,
  exclusive: boolean,
): Promise<void> {
  await withSource(mounted, from, (source) => copySource(mounted, source, to, exclusive));
}

/** Calls `work` with the open file that a path leads to. */
async function withSource(
  mounted: Mounted,
  path: string,
  work: (source: Source) => Promise<void>,
): Promise<void> {
  const { environment, files, paths, system } = mounted;
  const { descriptor, relativePath } = await paths.open(path, constants.O_RDONLY);
  let isOurs = true;
  try {
    const stats = await system.fstat(descriptor);
    if (stats.isDirectory()) throw errnoError('EISDIR', 'copyfile');
    if (!stats.isFile()) {
      throw errnoError('EINVAL', 'copyfile', undefined, undefined, { detail: 'it is not a regular file' });
    }
    const shared = files.size > 0 ? files.find(stats) : undefined;
    if (shared?.writable === true) {
      // What handles of this process wrote is not on the disk yet.
      await withPlace(paths.entry(`/${relativePath}`, 'absent'), async ({ systemPath }) => {
        const lease = await files.open(systemPath, { flags: parseOpenFlags('r'), mode: 0, path });
        try {
          await work({ file: lease.file, header: shared.header, stats });
        } finally {
          await lease.release();
        }
      });
      return;
    }
    isOurs = false;
    const file = await OpenFile.open(environment, descriptor, { path, write: false, stats });
    try {
      await work({ file, header: file.header, stats });
    } finally {
      await file.close();
    }
  } finally {
    if (isOurs) await system.close(descriptor).catch(() => {});
  }
}

async function copySource(mounted: Mounted, source: Source, to: string, exclusive: boolean): Promise<void> {
  await replacing(mounted, to, exclusive, async (destination) => {
    const { known } = destination;
    // Onto itself: there is nothing to do.
    if (known !== 'absent' && known.dev === source.stats.dev && known.ino === source.stats.ino) return;
    await copyContent(mounted, source, destination);
  });
}

async function copyContent(
  mounted: Mounted,
  { file, header, stats }: Source,
  destination: Destination,
): Promise<void> {
  const { context, kind, layout, suite } = header;
  const mode = Number(stats.mode & permissionBits);
  const content = await NewContent.start(mounted, destination, {
    immutable: kind === 'write-once',
    context,
    suite,
    segmentBytes: layout.segmentBytes,
    // Not readable for more people than the original at any time.
    mode,
    exactMode: mode,
    durable: isDurable(mounted),
  });
  const buffer = Buffer.alloc(Math.max(1, Math.min(stepBytes, file.plainBytes)));
  try {
    for (let plainOffset = 0; ; ) {
      const count = await file.read(buffer, 0, buffer.length, plainOffset);
      if (count === 0) break;
      await content.write([buffer.subarray(0, count)]);
      plainOffset += count;
    }
    await content.commit();
  } catch (error) {
    await content.abort();
    throw error;
  } finally {
    buffer.fill(0);
  }
}
