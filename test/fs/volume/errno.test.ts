/** Errors in the form of `node:fs`: word for word those that Node makes. */

import { promises as fs } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { expect, test } from 'vitest';

import { errnoError, fsSystemError, hasErrno, isFsError, restateError } from '../../../src/errno.ts';
import { asStated, stateError, stating } from '../../../src/fs/volume/errors.ts';
import { VolsealError } from '../../../src/errors.ts';
import { failureOf } from './volumes.ts';

test('every code that libuv has a name for is said in its words', () => {
  let known = 0;
  for (const [errno, [code, words]] of getSystemErrorMap()) {
    if (!(code in constants.errno)) continue;
    const error = errnoError(code, 'open', 'a');
    if (error.message.includes('unknown error')) continue;
    known++;
    expect([error.message, error.errno, error.code]).toEqual([`${code}: ${words}, open 'a'`, errno, code]);
  }
  expect(known).toBeGreaterThan(25);
});

test('an error is what Node would have thrown, with nothing more to see', async () => {
  const [a, b] = ['/nothing/a', '/nothing/b'];
  const cases: readonly (readonly [() => Promise<unknown>, Error])[] = [
    [() => fs.open(a), errnoError('ENOENT', 'open', a)],
    [() => fs.rename(a, b), errnoError('ENOENT', 'rename', a, b)],
    [() => fs.rmdir('/dev/null'), errnoError('ENOTDIR', 'rmdir', '/dev/null')],
  ];
  for (const [call, own] of cases) {
    const node = await failureOf(call());
    expect(own).toEqual(node);
    expect(new Map(Object.entries(own))).toEqual(new Map(Object.entries(node)));
  }
});

test('restated, an error names what the caller named, and forgets the host', () => {
  const original = errnoError('EBUSY', 'link', '/data/.volseal/locks/x', undefined, {
    detail: 'held',
    holderPid: 7,
    cause: new Error('/data'),
  });
  const restated = restateError(original, 'open', 'a/b') as ReturnType<typeof errnoError>;
  expect(restated.message).toBe(`EBUSY: resource busy or locked, open 'a/b' (held)`);
  expect([restated.code, restated.syscall, restated.path, restated.holderPid, restated.cause]).toEqual([
    'EBUSY',
    'open',
    'a/b',
    7,
    undefined,
  ]);
  // Words that are not in our list are taken from the error itself.
  const strange = Object.assign(new Error(`ESTRANGE: stranger than fiction, stat '/data/a'`), {
    code: 'ESTRANGE',
    errno: -9_999,
    syscall: 'stat',
  });
  expect((restateError(strange, 'stat', 'a') as Error).message).toBe(
    `ESTRANGE: stranger than fiction, stat 'a'`,
  );
  for (const other of [new TypeError('x'), new VolsealError('ERR_VOLSEAL_IO', 'x'), 'text', undefined]) {
    expect(restateError(other, 'open', 'a')).toBe(other);
    expect(isFsError(other)).toBe(false);
  }
});

test('the innermost call that knows the paths has the word', async () => {
  const error = errnoError('ENOENT', 'openat', '/data/inner');
  const failure = await failureOf(
    stating({ syscall: 'cp', path: 'outer' }, () =>
      stating({ syscall: 'lstat', path: 'inner' }, () => Promise.reject(error)),
    ),
  );
  expect([failure.syscall, failure.path]).toEqual(['lstat', 'inner']);
  const stated = asStated(errnoError('EEXIST', 'mkdir', 'x'));
  expect(stateError(stated, { syscall: 'open', path: 'y' })).toBe(stated);
  const descriptor = stateError(errnoError('ENOSPC', 'write'), {
    syscall: 'open',
    path: 'f',
  }) as NodeJS.ErrnoException;
  expect([descriptor.syscall, descriptor.path]).toEqual(['write', 'f']);
  const sealed = stateError(new VolsealError('ERR_VOLSEAL_TAMPERED', 'segment 1'), {
    syscall: 'open',
    path: 'f',
  }) as VolsealError;
  expect([sealed.path, sealed.message]).toEqual(['f', 'f: segment 1']);
});

test('what fs.rm and fs.cp throw', async () => {
  const node = await failureOf(fs.rm(tmpdir()));
  const info = { syscall: 'rm', errno: 'EISDIR', path: tmpdir(), message: 'is a directory' } as const;
  const own = fsSystemError('ERR_FS_EISDIR', 'Path is a directory', info);
  for (const name of ['name', 'message', 'code', 'errno', 'syscall', 'path', 'info'] as const) {
    expect((own as unknown as Record<string, unknown>)[name]).toEqual(
      (node as unknown as Record<string, unknown>)[name],
    );
  }
  expect(hasErrno(own, 'EEXIST', 'ERR_FS_EISDIR')).toBe(true);
  expect(hasErrno('EEXIST', 'EEXIST')).toBe(false);
});
