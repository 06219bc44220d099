/** What has to hold whenever sealed data that someone touched is opened, by every function alike. */

import { expect } from 'vitest';

import { inspect, type OpenOptions, VolsealError, type VolsealErrorCode } from '../../src/index.ts';
import { type Opener, openers, type Outcome } from './openers.ts';
import type { Subject } from './subjects.ts';

/** A code, or that nothing is wrong. */
export type Verdict = VolsealErrorCode | 'opens';

export interface Attack {
  readonly name: string;
  readonly sealed: Uint8Array;
  /** How opening ends. */
  readonly verdict: Verdict;
  /** Where a function that looks at the end of the file first meets another fault first. */
  readonly endFirstVerdict?: Verdict;
  /** What `inspect` says, which sees the header alone. */
  readonly inspected: Verdict;
  /** Segments from the start that are authentic where they are, and may come out. Default: none. */
  readonly authenticSegments?: number;
}

/** The code of an error; of an error that is not ours, its text, which no test expects. */
export function codeOf(error: unknown): string {
  return error instanceof VolsealError ? error.code : String(error);
}

/** Whatever came out is plaintext of the subject, where it was said to belong. */
export function expectTruePlaintext(
  outcome: Outcome,
  subject: Subject,
  where: string,
  mayRelease: number = Number.POSITIVE_INFINITY,
): void {
  for (const { plainOffset, bytes } of outcome.released) {
    const truth = subject.plain.subarray(plainOffset, plainOffset + bytes.length);
    expect(Buffer.compare(bytes, truth), `${where}: bytes at ${plainOffset} are plaintext`).toBe(0);
    expect(plainOffset + bytes.length, `${where}: released bytes end`).toBeLessThanOrEqual(mayRelease);
  }
}

/** A prefix in order, that ends where a segment does. */
function expectWholeSegments(outcome: Outcome, subject: Subject, where: string): void {
  const total = outcome.released.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (total === subject.plain.length) return;
  expect(total % subject.plainSegmentBytes, `${where}: released ${total} bytes, a part of a segment`).toBe(0);
}

async function expectOpened(
  opener: Opener,
  attack: Attack,
  subject: Subject,
  options: OpenOptions,
): Promise<void> {
  const where = `${attack.name}: ${opener.name}`;
  const outcome = await opener.open(attack.sealed, options);
  const verdict = (opener.order === 'end-first' ? attack.endFirstVerdict : undefined) ?? attack.verdict;
  expect(outcome.error === undefined ? 'opens' : codeOf(outcome.error), where).toBe(verdict);
  if (verdict === 'opens') {
    expectTruePlaintext(outcome, subject, where);
    const total = outcome.released.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(total, `${where}: length`).toBe(subject.plain.length);
    return;
  }
  expect(outcome.left, `${where}: left at the destination`).toEqual([]);
  if (opener.order === 'end-first') {
    expectTruePlaintext(outcome, subject, where);
    return;
  }
  const mayRelease = (attack.authenticSegments ?? 0) * subject.plainSegmentBytes;
  expectTruePlaintext(outcome, subject, where, mayRelease);
  expectWholeSegments(outcome, subject, where);
}

async function expectInspected(attack: Attack): Promise<void> {
  const verdict = await inspect(attack.sealed).then(() => 'opens', codeOf);
  expect(verdict, `${attack.name}: inspect`).toBe(attack.inspected);
}

/** Opens what an attack left of a subject by every function, and checks how each one ends and what it let out. */
export async function expectAttack(
  attack: Attack,
  subject: Subject,
  options: Partial<OpenOptions> = {},
  by: readonly Opener[] = openers,
): Promise<void> {
  const opened = by.map((opener) =>
    expectOpened(opener, attack, subject, { keys: subject.keys, ...options }),
  );
  await Promise.all([expectInspected(attack), ...opened]);
}
