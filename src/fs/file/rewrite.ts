/** Making a write-once file a mutable one: what was sealed once is never sealed again, so it moves to a new key. */

import { constants } from 'node:fs';

import { emptyState } from '../../envelope/v1/copy.ts';
import { bodyBytes, segmentCount } from '../../floe/layout.ts';
import { ReplacingFile } from '../../os/replacing-file.ts';
import { writeAll } from '../../os/descriptor-bytes.ts';
import { FileHeader } from '../header/file-header.ts';
import { type FileEnvironment, lockForWriting } from './environment.ts';
import { OpenFile } from './open-file.ts';
import { runBytes } from './placed.ts';

export { isWriteOnceError } from './write-once.ts';

/**
 * Replaces a write-once file by a mutable one with the same content, context, suite, mode and owner, atomically. Does nothing
 * to a file that is mutable. Who has the old one open keeps reading it.
 * @param path absolute
 * @throws EBUSY when another process is doing the same; what `OpenFile.open` and reading throw; errors of the system
 */
export async function rewriteAsMutable(env: FileEnvironment, path: string): Promise<void> {
  const { system } = env;
  for (;;) {
    const file = await OpenFile.open(
      env,
      await system.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
      {
        path,
        write: false,
      },
    );
    try {
      if (file.header.kind === 'mutable') return;
      const lock = await lockForWriting(env, file.fileId, path);
      try {
        const [opened, named] = [await file.stat(), await system.stat(path)];
        // Otherwise somebody replaced it before the lock was ours: look at what is there now.
        if (opened.dev === named.dev && opened.ino === named.ino) {
          await replace(env, path, file);
          return;
        }
      } finally {
        await lock.release();
      }
    } finally {
      await file.close();
    }
  }
}

async function replace(env: FileEnvironment, path: string, file: OpenFile): Promise<void> {
  const { context, suite } = file.header;
  const { policy } = env.keyring;
  const sized = FileHeader.create(env.keyring, {
    kind: 'mutable',
    suite,
    context,
    segmentBytes: policy.segmentBytes,
  });
  const { header } = sized;
  const target = await ReplacingFile.create(env.system, path).catch((error: unknown) => {
    header.wipe();
    throw error;
  });
  try {
    const region = header.regionWith({ ...emptyState, bodyBytes: bodyBytes(header.layout, file.plainBytes) });
    await writeAll(env.system, target.fd, [region], 0);
    await copyBody(env, target.fd, file, header);
    await target.commit({ durable: env.durability === 'sync' });
  } catch (error) {
    await target.abort();
    throw error;
  } finally {
    header.wipe();
  }
}

async function copyBody(
  env: FileEnvironment,
  fd: number,
  file: OpenFile,
  { layout, regionBytes, segments }: FileHeader,
): Promise<void> {
  const { plainSegmentBytes, segmentBytes } = layout;
  const { plainBytes } = file;
  const count = segmentCount(layout, plainBytes);
  const batch = Math.max(1, Math.floor(runBytes / segmentBytes));
  const plain = new Uint8Array(Math.min(batch * plainSegmentBytes, plainBytes));
  try {
    for (let first = 0; first < count; first += batch) {
      const at = first * plainSegmentBytes;
      const length = Math.min(plain.length, plainBytes - at);
      // What is read is whole: the size of a write-once body is proven.
      await file.read(plain, 0, length, at);
      const parts: Uint8Array[] = [];
      for (let index = first; index < Math.min(count, first + batch); index++) {
        const from = index * plainSegmentBytes - at;
        const piece = plain.subarray(from, Math.min(length, from + plainSegmentBytes));
        parts.push(...segments.seal([piece], index, index === count - 1));
      }
      await writeAll(env.system, fd, parts, regionBytes + first * segmentBytes);
    }
  } finally {
    plain.fill(0);
  }
}
