/**
 * What volseal tells `node:diagnostics_channel` (docs/observability.md). Free while nobody listens: messages are only
 * made for a channel that has subscribers. No message carries key bytes or plaintext.
 */

import { channel } from 'node:diagnostics_channel';

import type { VolsealErrorCode } from './errors.ts';

/** `volseal:key.wrap` and `volseal:key.unwrap`: one call of a key provider. */
export interface KeyMessage {
  /** The provider's type. */
  provider: string;
  /** Missing when the call failed before a key was chosen. */
  keyId?: string;
  durationMs: number;
  /** Missing when the call succeeded. */
  error?: VolsealErrorCode;
}

/** `volseal:sealed` and `volseal:opened`: one finished operation. */
export interface OperationMessage {
  operation: 'buffer' | 'stream' | 'file' | 'handle';
  fileId: string;
  suite: string;
  plainBytes: number;
  durationMs: number;
  path?: string;
}

/** `volseal:rejected`: one failed operation. */
export interface RejectedMessage {
  operation: OperationMessage['operation'];
  direction: 'seal' | 'open';
  error: VolsealErrorCode;
  durationMs: number;
  path?: string;
}

/** `volseal:warning`: something works, but not as it should be. */
export interface WarningMessage {
  code:
    | 'equal-secrets'
    | 'header-copy-damaged'
    | 'no-recovery-key'
    | 'journal-ignored'
    | 'directory-made-again';
  message: string;
  path?: string;
}

const keyWrap = channel('volseal:key.wrap');
const keyUnwrap = channel('volseal:key.unwrap');
const sealed = channel('volseal:sealed');
const opened = channel('volseal:opened');
const rejected = channel('volseal:rejected');
const warning = channel('volseal:warning');

export function publishWarning(message: WarningMessage): void {
  if (warning.hasSubscribers) warning.publish(message);
}

/** Runs one call of a provider and tells how it went. */
export async function traceKeyCall<T>(
  kind: 'wrap' | 'unwrap',
  provider: string,
  call: () => Promise<T>,
  keyIdOf: (result: T | undefined) => string | undefined,
  codeOf: (error: unknown) => VolsealErrorCode,
): Promise<T> {
  const target = kind === 'wrap' ? keyWrap : keyUnwrap;
  if (!target.hasSubscribers) return call();
  const startedMs = performance.now();
  const tell = (result: T | undefined, error?: VolsealErrorCode): void => {
    const keyId = keyIdOf(result);
    const message: KeyMessage = { provider, durationMs: performance.now() - startedMs };
    if (keyId !== undefined) message.keyId = keyId;
    if (error !== undefined) message.error = error;
    target.publish(message);
  };
  try {
    const result = await call();
    tell(result);
    return result;
  } catch (error) {
    tell(undefined, codeOf(error));
    throw error;
  }
}

/** One operation from its start to its end; does nothing while nobody listens. */
export interface OperationTrace {
  done(fileId: Uint8Array, suite: string, plainBytes: number): void;
  failed(code: VolsealErrorCode): void;
}

const silent: OperationTrace = { done() {}, failed() {} };

export function traceOperation(
  direction: 'seal' | 'open',
  operation: OperationMessage['operation'],
  path?: string,
): OperationTrace {
  const target = direction === 'seal' ? sealed : opened;
  if (!target.hasSubscribers && !rejected.hasSubscribers) return silent;
  const startedMs = performance.now();
  let ended = false;
  return {
    done(fileId, suite, plainBytes) {
      if (ended) return;
      ended = true;
      const message: OperationMessage = {
        operation,
        fileId: Buffer.from(fileId).toString('hex'),
        suite,
        plainBytes,
        durationMs: performance.now() - startedMs,
      };
      if (path !== undefined) message.path = path;
      target.publish(message);
    },
    failed(code) {
      if (ended) return;
      ended = true;
      const message: RejectedMessage = {
        operation,
        direction,
        error: code,
        durationMs: performance.now() - startedMs,
      };
      if (path !== undefined) message.path = path;
      rejected.publish(message);
    },
  };
}
