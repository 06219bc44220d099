/** The processes that have the volume open to write, and how far they are with its keyring. */

import { join } from 'node:path';

import { hasErrno } from '../errno.ts';
import { parseHolderName } from '../fs/volume/holder.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { metadataName } from '../fs/volume/path-rules.ts';
import { throwIfAborted } from '../options.ts';
import { type Clock, realClock } from './limits.ts';
import type { HolderBehind } from './report-types.ts';

/** They look every other second. */
const patienceMs = 6_000;
const lookEveryMs = 100;

/** Those that may still seal something, or give it another name, by an older generation of the keyring than this one. */
export async function holdersBehind(mounted: Mounted, generation: number): Promise<HolderBehind[]> {
  await mounted.holder.look();
  // One that goes over to another generation has two names for a moment; a list that is made meanwhile may have neither.
  const names = new Set([...(await holderNames(mounted)), ...(await holderNames(mounted))]);
  const behind = new Map<string, HolderBehind>();
  for (const name of names) {
    const said = parseHolderName(name);
    if (said === undefined || said.generation >= generation) continue;
    const holder = await mounted.environment.locks.holder(name);
    if (holder === undefined) continue;
    const before = behind.get(said.id)?.generation ?? said.generation;
    behind.set(said.id, { pid: holder.pid, generation: Math.min(before, said.generation) });
  }
  return [...behind.values()];
}

async function holderNames({ paths, system }: Mounted): Promise<string[]> {
  try {
    const entries = await system.readdir(join(paths.root, metadataName, 'locks'));
    return entries.map(({ name }) => name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** The same after a while: most need no more than two seconds to notice a new keyring. */
export async function waitForHolders(
  mounted: Mounted,
  generation: number,
  signal: AbortSignal | undefined,
  clock: Clock = realClock,
): Promise<HolderBehind[]> {
  const untilMs = clock.now() + patienceMs;
  for (;;) {
    throwIfAborted(signal);
    const behind = await holdersBehind(mounted, generation);
    if (behind.length === 0 || clock.now() >= untilMs) return behind;
    await clock.sleep(lookEveryMs);
  }
}

/** In words, for errors and reports. */
export function describeHolders(behind: readonly HolderBehind[]): string {
  const names = behind.slice(0, 8).map(({ generation, pid }) => `process ${pid} (generation ${generation})`);
  return names.join(', ') + (behind.length > names.length ? ` and ${behind.length - names.length} more` : '');
}
