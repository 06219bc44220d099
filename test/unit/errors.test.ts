/** The one error class, and what becomes of errors of the operating system. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { internalError, VolsealError, volsealErrorCodes, withPath } from '../../src/errors.ts';
import { fromSystemError } from '../../src/system-error.ts';

test('codes are unique and of one form', () => {
  expect(new Set(volsealErrorCodes).size).toBe(volsealErrorCodes.length);
  for (const code of volsealErrorCodes) expect(code).toMatch(/^ERR_VOLSEAL_[A-Z]+(_[A-Z]+)*$/);
});

test('carries what it is given, and nothing it is not given', () => {
  const cause = new Error('why');
  const full = new VolsealError('ERR_VOLSEAL_IO', 'what', {
    hint: 'next',
    path: '/data/a',
    offset: 7,
    retryable: true,
    cause,
  });
  expect(full).toMatchObject({
    name: 'VolsealError',
    code: 'ERR_VOLSEAL_IO',
    message: 'what',
    hint: 'next',
    path: '/data/a',
    offset: 7,
    retryable: true,
    cause,
  });
  const bare = new VolsealError('ERR_VOLSEAL_IO', 'what');
  expect([bare.retryable, 'cause' in bare, bare.hint, bare.path, bare.offset]).toEqual([
    false,
    false,
    undefined,
    undefined,
    undefined,
  ]);
  expect(bare).toBeInstanceOf(Error);
});

test('an abort has the name that code for Node looks for', () => {
  expect(new VolsealError('ERR_VOLSEAL_ABORTED', 'x').name).toBe('AbortError');
});

test('withPath names the file once, keeps the rest and the stack', () => {
  const cause = new Error('why');
  const error = new VolsealError('ERR_VOLSEAL_TAMPERED', 'changed', {
    hint: 'next',
    offset: 9,
    retryable: true,
    cause,
  });
  const named = withPath(error, '/data/a');
  expect(named).toMatchObject({
    code: 'ERR_VOLSEAL_TAMPERED',
    message: '/data/a: changed',
    path: '/data/a',
    hint: 'next',
    offset: 9,
    retryable: true,
    cause,
  });
  expect((named as Error).stack).toBe(error.stack);
  expect(withPath(named, '/data/b')).toBe(named);
  expect(withPath(error, undefined)).toBe(error);
  const foreign = new Error('foreign');
  expect(withPath(foreign, '/data/a')).toBe(foreign);
});

test('an internal error asks for a report', () => {
  expect(internalError('x')).toMatchObject({
    code: 'ERR_VOLSEAL_INTERNAL',
    message: 'internal error: x',
    hint: expect.stringContaining('report') as string,
  });
});

test.each([
  ['ENOENT', 'NOT_FOUND', false],
  ['ENOTDIR', 'NOT_FOUND', false],
  ['EEXIST', 'EXISTS', false],
  ['EACCES', 'PERMISSION', false],
  ['EPERM', 'PERMISSION', false],
  ['EROFS', 'PERMISSION', false],
  ['ENOSPC', 'NO_SPACE', false],
  ['EDQUOT', 'NO_SPACE', false],
  ['EISDIR', 'IO', false],
  ['EMFILE', 'IO', true],
  ['EPIPE', 'IO', false],
])('%s becomes %s, with a next step', (systemCode, code, retryable) => {
  const cause = Object.assign(new Error(`${systemCode}: raw text`), {
    code: systemCode,
    syscall: 'open',
    path: '/data/x',
  });
  const error = fromSystemError(cause, undefined) as VolsealError;
  expect(error).toMatchObject({ code: `ERR_VOLSEAL_${code}`, path: '/data/x', retryable, cause });
  expect(error.message).toMatch(/^\/data\/x: [a-z]/);
  expect(error.message).not.toContain('raw text');
  expect(error.hint).toMatch(/\w/);
  expect(fromSystemError(cause, '/given')).toMatchObject({
    path: '/given',
    message: expect.stringMatching(/^\/given: /) as string,
  });
});

test('an unknown system error keeps its name; what is none comes back as it is', () => {
  const unknown = Object.assign(new Error('x'), { code: 'EWEIRD', syscall: 'read' });
  expect(fromSystemError(unknown, undefined)).toMatchObject({
    code: 'ERR_VOLSEAL_IO',
    message: 'input/output error (EWEIRD)',
  });
  for (const other of [
    new Error('x'),
    'text',
    undefined,
    new VolsealError('ERR_VOLSEAL_TAMPERED', 'x'),
    Object.assign(new Error('x'), { code: 'ERR_X' }),
  ]) {
    expect(fromSystemError(other, '/data/x')).toBe(other);
  }
});

test('a real one', () => {
  let thrown: unknown;
  try {
    readFileSync('/nowhere/at/all');
  } catch (error) {
    thrown = error;
  }
  expect(fromSystemError(thrown, undefined)).toMatchObject({
    code: 'ERR_VOLSEAL_NOT_FOUND',
    message: '/nowhere/at/all: no such file or directory',
    path: '/nowhere/at/all',
  });
});
