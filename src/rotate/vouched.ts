/**
 * What somebody vouched for: that the Machines that cannot be asked have a secret. `.volseal/vouched.json` keeps it, so that
 * it can be seen later who relied on what, and so that a rotation that is taken up again need not ask again.
 *
 * Whoever can write to the volume can write this too. It decides only when a secret may become the primary one; no key
 * is given out or taken away by it.
 */

import { constants } from 'node:fs';
import { join } from 'node:path';

import { hasErrno } from '../errno.ts';
import { parseKeyId } from '../key-id.ts';
import { readUpTo } from '../os/descriptor-bytes.ts';
import { replaceFile } from '../os/replacing-file.ts';
import type { System } from '../os/system.ts';
import type { SecretName } from './secret-steps.ts';

export interface Vouched extends SecretName {
  /** ISO 8601 in UTC. */
  readonly at: string;
}

export interface VouchedPlace {
  readonly system: System;
  /** The absolute path of `.volseal`. */
  readonly directory: string;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

const fileName = 'vouched.json';
const fileMode = 0o600;
const maxFileBytes = 65_536;
/** Older ones are of rotations that are long over. */
const maxRecords = 64;

/** What was vouched for, the newest last. A file that is not ours counts as none: then somebody is asked again. */
export async function readVouched({ directory, system }: VouchedPlace): Promise<Vouched[]> {
  const path = join(directory, fileName);
  let fd: number;
  try {
    fd = await system.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ELOOP', 'ENXIO')) return [];
    throw error;
  }
  try {
    const stats = await system.fstat(fd);
    if (!stats.isFile() || stats.size > maxFileBytes) return [];
    return parse(await readUpTo(system, fd, new Uint8Array(Number(stats.size)), 0));
  } finally {
    await system.close(fd).catch(() => {});
  }
}

/** Adds one; it is on the disk when this returns. Call it under the lock of the keyring only. */
export async function recordVouched(place: VouchedPlace, record: Vouched): Promise<void> {
  const { directory, owner, system } = place;
  const path = join(directory, fileName);
  const records = [...(await readVouched(place)), record].slice(-maxRecords);
  const text = `${JSON.stringify({ volsealVouched: 1, records })}\n`;
  // Never through a link: `open` above did not follow one either.
  const stats = await system.lstat(path).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (stats?.isSymbolicLink() === true) await system.unlink(path);
  const options = { mode: fileMode, durable: true, ...(owner === undefined ? {} : { owner }) };
  await replaceFile(system, path, [Buffer.from(text)], options);
}

function parse(bytes: Uint8Array): Vouched[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return [];
  }
  const { records, volsealVouched } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (volsealVouched !== 1 || !Array.isArray(records)) return [];
  return records.filter(isVouched).map(({ at, keyId, label }) => ({ label, keyId, at }));
}

function isVouched(value: unknown): value is Vouched {
  const { at, keyId, label } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return (
    typeof label === 'string' &&
    /^\w{1,32}$/.test(label) &&
    typeof keyId === 'string' &&
    parseKeyId(keyId) !== undefined &&
    typeof at === 'string' &&
    /^[\d-]{10}T[\d:.]{12}Z$/.test(at)
  );
}
