/** Reads of a part of a file: what lies elsewhere may be broken, what comes out may not, and the end is never believed unproven. */

import { truncateSync, writeFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import { createDecryptReadStream, openEncrypted, VolsealError } from '../../src/index.ts';
import { codeOf } from './expectations.ts';
import { flip, join } from './forge.ts';
import { onFile } from './places.ts';
import { makeSubject, type Subject } from './subjects.ts';

const whole = 4_064;
let subject: Subject;

beforeAll(async () => {
  subject = await makeSubject({ plainBytes: 3 * whole });
});

interface Range {
  readonly start?: number;
  readonly end?: number;
}

/** What a range stream gives, and how it ends. */
async function readRange(sealed: Uint8Array, range: Range): Promise<{ bytes: Uint8Array; verdict: string }> {
  return onFile(sealed, async (path) => {
    const pieces: Uint8Array[] = [];
    try {
      const stream = createDecryptReadStream(path, { keys: subject.keys, ...range });
      for await (const piece of stream) pieces.push(piece as Buffer);
      return { bytes: join(...pieces), verdict: 'opens' };
    } catch (error) {
      return { bytes: join(...pieces), verdict: codeOf(error) };
    }
  });
}

async function expectRange(sealed: Uint8Array, range: Range, verdict: string): Promise<void> {
  const { start = 0, end = subject.plain.length - 1 } = range;
  const read = await readRange(sealed, range);
  expect(read.verdict, `${start}-${end}`).toBe(verdict);
  const truth = subject.plain.subarray(start, end + 1);
  if (verdict === 'opens') expect(Buffer.compare(read.bytes, truth), `${start}-${end}`).toBe(0);
  else expect(Buffer.compare(read.bytes, truth.subarray(0, read.bytes.length)), `${start}-${end}`).toBe(0);
}

describe('createDecryptReadStream', () => {
  it.each([0, 1, 2])('segment %d changed: only ranges that touch it fail', async (position) => {
    const { start } = subject.map.segments[position] as { start: number };
    const sealed = flip(subject.sealed, start + 500);
    for (let other = 0; other < 3; other++) {
      const verdict = other === position ? 'ERR_VOLSEAL_TAMPERED' : 'opens';
      await expectRange(sealed, { start: other * whole, end: other * whole }, verdict);
      await expectRange(sealed, { start: other * whole + 7, end: other * whole + whole - 1 }, verdict);
    }
    await expectRange(sealed, { start: whole - 1, end: 2 * whole }, 'ERR_VOLSEAL_TAMPERED');
    await expectRange(sealed, { start: 10 }, 'ERR_VOLSEAL_TAMPERED');
  });

  it('cut between two segments: a range that begins at, reaches or passes the new end fails', async () => {
    const sealed = subject.sealed.subarray(0, (subject.map.segments[2] as { start: number }).start);
    const truncated = 'ERR_VOLSEAL_TRUNCATED';
    await expectRange(sealed, { start: 0, end: whole - 1 }, 'opens');
    await expectRange(sealed, { start: 2 * whole - 1, end: 2 * whole - 1 }, truncated);
    await expectRange(sealed, { start: 2 * whole }, truncated);
    await expectRange(sealed, { start: 5 * whole, end: 6 * whole }, truncated);
    await expectRange(sealed, { start: 0, end: 5 * whole }, truncated);
    await expectRange(sealed, {}, truncated);
  });

  it('a range behind the true end is empty only when the end is proven', async () => {
    await expectRange(subject.sealed, { start: 3 * whole }, 'opens');
    await expectRange(subject.sealed, { start: 9 * whole, end: 10 * whole }, 'opens');
    const changed = flip(subject.sealed, subject.sealed.length - 1);
    await expectRange(changed, { start: 3 * whole }, 'ERR_VOLSEAL_TAMPERED');
    await expectRange(changed, { start: 9 * whole, end: 10 * whole }, 'ERR_VOLSEAL_TAMPERED');
  });
});

describe('openEncrypted, when the file changes under the handle', () => {
  const read = (file: Awaited<ReturnType<typeof openEncrypted>>, position: number): Promise<string> =>
    file.read(new Uint8Array(100), 0, 100, position).then(
      ({ buffer }) =>
        Buffer.compare(buffer, subject.plain.subarray(position, position + 100)) === 0 ? 'opens' : 'wrong',
      (error: unknown) => (error instanceof VolsealError ? error.code : String(error)),
    );

  it('cut', async () => {
    await onFile(subject.sealed, async (path) => {
      await using file = await openEncrypted(path, { keys: subject.keys });
      truncateSync(path, subject.map.regionBytes + 5_000);
      expect(await read(file, 0)).toBe('opens');
      expect(await read(file, whole)).toBe('ERR_VOLSEAL_TRUNCATED');
      expect((await file.stat()).size).toBe(3 * whole);
    });
  });

  it('another file in its place', async () => {
    const other = await makeSubject({ name: 'other', plainBytes: 3 * whole });
    await onFile(subject.sealed, async (path) => {
      await using file = await openEncrypted(path, { keys: subject.keys });
      writeFileSync(path, other.sealed);
      expect(await read(file, 0)).toBe('ERR_VOLSEAL_TAMPERED');
      expect(await read(file, whole)).toBe('ERR_VOLSEAL_TAMPERED');
      writeFileSync(path, subject.sealed);
      expect(await read(file, whole)).toBe('opens');
    });
  });

  it('one segment, and reads over it', async () => {
    const { start } = subject.map.segments[1] as { start: number };
    await onFile(flip(subject.sealed, start + 50), async (path) => {
      await using file = await openEncrypted(path, { keys: subject.keys });
      const buffer = new Uint8Array(3 * whole);
      await expect(file.read(buffer, 0, buffer.length, 0)).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_TAMPERED',
        path,
      });
      const inParallel = await Promise.all(
        [0, whole, 2 * whole, whole + 5, 10].map((position) => read(file, position)),
      );
      expect(inParallel).toEqual(['opens', 'ERR_VOLSEAL_TAMPERED', 'opens', 'ERR_VOLSEAL_TAMPERED', 'opens']);
    });
  });
});
