/** Opening a file of the volume for handles and streams. */

import { errnoError, hasErrno } from '../../errno.ts';
import { checkContext } from '../../envelope/context.ts';
import type { OpenFlags } from '../handle/flags.ts';
import type { Lease } from '../handle/handle-target.ts';
import { withPlace } from './attributes.ts';
import type { Demand } from './context.ts';
import { type Mounted, isDurable } from './mounted.ts';
import { writeWhole } from './new-content.ts';
import type { Entry } from './paths.ts';
import { splitPath } from './path-rules.ts';
import { replacing } from './write-file.ts';

export interface OpenPathRequest {
  readonly flags: OpenFlags;
  readonly mode: number;
  readonly demand: Demand;
}

/** As many links in a row as Linux follows. */
const mostLinks = 40;
/** A file that others make and remove all the time is given up on some time. */
const mostRounds = 100;

/**
 * Opens or makes what a path leads to. A file that is made gets the context of the request; one that is there must have
 * been made with it.
 * @throws as `OpenFiles.open`; `ERR_VOLSEAL_OUTSIDE_VOLUME`, `ERR_VOLSEAL_CONTEXT_MISMATCH`
 */
export async function openPath(mounted: Mounted, path: string, request: OpenPathRequest): Promise<Lease> {
  const { flags } = request;
  if (!flags.write && !flags.create) return openChecked(mounted, path, request);
  return mounted.holder.using(async () => {
    await mounted.holder.refresh();
    return openChecked(mounted, path, request);
  });
}

async function openChecked(mounted: Mounted, path: string, request: OpenPathRequest): Promise<Lease> {
  const { flags } = request;
  const lease = await (givesContext(request)
    ? openWithContext(mounted, path, request)
    : openThere(mounted, path, request, flags));
  try {
    checkContext(lease.context, request.demand.context, request.demand.exact);
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

function givesContext({ demand, flags }: OpenPathRequest): boolean {
  const { context } = demand;
  return (flags.create || flags.truncate) && context !== undefined && Object.keys(context).length > 0;
}

/** Files that handles make have no context, so one with a context is made before it is opened. */
async function openWithContext(mounted: Mounted, path: string, request: OpenPathRequest): Promise<Lease> {
  const { create, exclusive, truncate } = request.flags;
  const existing: OpenFlags = { ...request.flags, create: false, exclusive: false, truncate: false };
  if (exclusive || (create && truncate)) {
    await makeEmpty(mounted, path, request, exclusive);
    return openThere(mounted, path, request, existing);
  }
  for (let round = 0; ; round++) {
    try {
      const lease = await openThere(mounted, path, request, existing);
      if (!truncate) return lease;
      // Without O_CREAT it had to be there.
      await lease.release();
      await makeEmpty(mounted, path, request, false);
      return await openThere(mounted, path, request, existing);
    } catch (error) {
      if (!create || !hasErrno(error, 'ENOENT') || round === mostRounds) throw error;
    }
    await makeEmpty(mounted, path, request, true).catch((error: unknown) => {
      if (!hasErrno(error, 'EEXIST')) throw error;
    });
  }
}

async function makeEmpty(
  mounted: Mounted,
  path: string,
  { demand, mode }: OpenPathRequest,
  exclusive: boolean,
): Promise<void> {
  const { context } = demand;
  const options = { immutable: false, context, mode, durable: isDurable(mounted) };
  await replacing(mounted, path, exclusive, (destination) =>
    writeWhole(mounted, destination, { data: new Uint8Array(0), plainBytes: 0 }, options, () => {}),
  );
}

/** Follows links to where a file is or shall be, and opens it there. */
async function openThere(
  mounted: Mounted,
  path: string,
  { mode }: OpenPathRequest,
  flags: OpenFlags,
): Promise<Lease> {
  const { files, paths } = mounted;
  const reserved = flags.create ? 'refused' : 'absent';
  let entry = await paths.entry(await withoutSlash(mounted, path, flags), reserved);
  try {
    for (let links = 0; links <= mostLinks; links++) {
      try {
        return await files.open(entry.systemPath, { flags, mode, path });
      } catch (error) {
        const target = await linkTarget(mounted, entry, error);
        if (target === undefined) throw error;
        const next = await paths.linked(entry, target, path, reserved);
        await entry.release();
        entry = next;
      }
    }
    throw errnoError('ELOOP', 'open');
  } finally {
    await entry.release();
  }
}

/** Of a link that kept a file from being opened: what it leads to. */
async function linkTarget(
  { system }: Mounted,
  { systemPath }: Entry,
  error: unknown,
): Promise<string | undefined> {
  return hasErrno(error, 'ELOOP') ? system.readlink(systemPath).catch(() => undefined) : undefined;
}

/** A slash at the end asks for a directory, behind a link for the one it leads to. */
async function withoutSlash({ paths }: Mounted, path: string, { create }: OpenFlags): Promise<string> {
  if (!splitPath(path).slash) return path;
  if (create) {
    await withPlace(paths.entry(path, 'refused'), async () => {});
    throw errnoError('EISDIR', 'open');
  }
  return withPlace(paths.follow(path), async ({ relativePath }) => `/${relativePath}`);
}
