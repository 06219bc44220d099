/**
 * What a lock file says: one line of JSON with the holder's boot id, pid and its namespace, thread, start time, and a token
 * that is drawn for each holder and never comes back. No secrets; never synced: after a loss of power every lock is stale.
 */

import type { ProcessIdentity } from '../../os/process-identity.ts';

export interface LockRecord {
  readonly holder: ProcessIdentity;
  /** 32 hex digits. */
  readonly token: string;
}

/** A lock file that is longer is not one. */
export const maxLockBytes = 512;

export function encodeLockRecord({ holder, token }: LockRecord): Uint8Array {
  const { bootId, pid, pidNamespace, startTime, threadId } = holder;
  const record = { volsealLock: 1, bootId, pidNamespace, pid, threadId, startTime, token };
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

const tokenPattern = /^[0-9a-f]{32}$/;
const bootIdPattern = /^([0-9a-f]{32})?$/;

/** Undefined for anything but a complete record. */
export function parseLockRecord(content: Uint8Array): LockRecord | undefined {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
  if (!text.endsWith('}\n')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { volsealLock, bootId, pid, pidNamespace, threadId, startTime, token } = value as Readonly<
    Record<string, unknown>
  >;
  if (
    volsealLock !== 1 ||
    typeof bootId !== 'string' ||
    !bootIdPattern.test(bootId) ||
    !isId(pid) ||
    !isId(threadId) ||
    !isNumeral(startTime) ||
    !isNumeral(pidNamespace) ||
    typeof token !== 'string' ||
    !tokenPattern.test(token)
  ) {
    return undefined;
  }
  return { holder: { bootId, pidNamespace, pid, threadId, startTime }, token };
}

function isNumeral(value: unknown): value is string {
  return typeof value === 'string' && /^\d{0,20}$/.test(value);
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= 0xffff_ffff;
}
