/**
 * Names of files that are being written: `.volseal-tmp-<boot id>-<pid namespace>-<pid>-<thread id>-<start time>-<16
 * random hex digits>`. The name says who writes it, so that what a dead process left can be told from what a living one is about to rename.
 */

import { hex } from '../bytes.ts';
import { randomSecret } from '../random.ts';
import { isAlive, ownIdentity } from './process-identity.ts';

/** Everything that begins so is reserved. */
const prefix = '.volseal-tmp-';
const pattern = /^([0-9a-f]*)-(\d{0,20})-(\d{1,10})-(\d{1,10})-(\d*)-[0-9a-f]{16}$/;

/** A name that no file has. */
export function temporaryName(): string {
  const { bootId, pid, pidNamespace, startTime, threadId } = ownIdentity();
  return `${prefix}${bootId}-${pidNamespace}-${pid}-${threadId}-${startTime}-${hex(randomSecret(8))}`;
}

/** Whether the last part of a path is reserved for temporary files. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith(prefix);
}

/** Whether nobody will ever finish the file of this name. False for names of another form: they are not ours to judge. */
export function isStaleTemporary(name: string): boolean {
  if (!isTemporaryName(name)) return false;
  const parts = pattern.exec(name.slice(prefix.length));
  if (parts === null) return false;
  const [, bootId = '', pidNamespace = '', pid, threadId, startTime = ''] = parts;
  return !isAlive({ bootId, pidNamespace, pid: Number(pid), threadId: Number(threadId), startTime });
}
