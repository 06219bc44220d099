/** Making directories. In a durable volume they are on the disk before anything durable can be put into them. */

import { hasErrno } from '../../errno.ts';
import { syncDirectory } from '../../os/replacing-file.ts';
import { randomSecret } from '../../random.ts';
import { withPlace } from './attributes.ts';
import { stating } from './errors.ts';
import { isDurable, type Mounted } from './mounted.ts';

/** @param mode the process's umask is taken off */
export async function makeDirectory(mounted: Mounted, path: string, mode: number): Promise<void> {
  const { environment, paths, system } = mounted;
  await withPlace(paths.entry(path, 'refused'), async ({ systemDirectory, systemPath }) => {
    await system.mkdir(systemPath, mode);
    const { owner } = environment;
    if (owner !== undefined) await system.lchown(systemPath, owner.uid, owner.gid);
    if (isDurable(mounted)) await syncDirectory(system, systemDirectory);
  });
}

/** With all directories above it that are missing. The first one that was made, as part of the path. */
export async function makeDirectories(
  mounted: Mounted,
  path: string,
  mode: number,
): Promise<string | undefined> {
  try {
    await makeDirectory(mounted, path, mode);
    return path;
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) {
      await checkDirectory(mounted, path, error);
      return undefined;
    }
    const parent = parentOf(path);
    if (!hasErrno(error, 'ENOENT') || parent === undefined) throw error;
    const first = await makeDirectories(mounted, parent, mode);
    // A link to nothing, or somebody else made the parent and this one too.
    await makeDirectory(mounted, path, mode).catch(async (again: unknown) => {
      if (!hasErrno(again, 'EEXIST')) throw again;
      await checkDirectory(mounted, path, again);
    });
    return first ?? path;
  }
}

/** @throws the error that said it exists, unless it is a directory; ENOENT for a link to nothing */
async function checkDirectory({ paths, system }: Mounted, path: string, exists: unknown): Promise<void> {
  const stats = await withPlace(paths.follow(path), ({ systemPath }) => system.stat(systemPath));
  if (!stats.isDirectory()) throw exists;
}

/** The path without its last name; undefined when there is nothing before it. */
export function parentOf(path: string): string | undefined {
  const slash = path.replace(/\/+$/, '').lastIndexOf('/');
  const parent = slash < 0 ? '' : path.slice(0, slash).replace(/\/+$/, '');
  return parent === '' ? undefined : parent;
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const suffixLetters = 6;
const mostTries = 100;

/** A directory of its own for the caller: the prefix and six random letters. */
export async function makeTemporaryDirectory(mounted: Mounted, prefix: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    const path = prefix + randomLetters();
    try {
      await stating({ syscall: 'mkdtemp', path }, () => makeDirectory(mounted, path, 0o700));
      return path;
    } catch (error) {
      if (!hasErrno(error, 'EEXIST') || tries === mostTries) throw error;
    }
  }
}

function randomLetters(): string {
  let text = '';
  while (text.length < suffixLetters) {
    for (const byte of randomSecret(2 * suffixLetters)) {
      // Of four rounds of the alphabet: the rest would make some letters likelier than others.
      if (byte < 4 * letters.length && text.length < suffixLetters) text += letters[byte % letters.length];
    }
  }
  return text;
}
