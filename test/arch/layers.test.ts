/** src keeps its layers, and each rule is shown to catch what it forbids. */

import { expect, test } from 'vitest';
import { findBreaches, folderRanks } from './layer-rules.ts';
import { readSources } from './sources.ts';

const breachesIn = (files: Record<string, string>): string[] => findBreaches(new Map(Object.entries(files)));

test('src keeps its layers', () => {
  const sources = readSources('src');
  expect(sources.size).toBeGreaterThan(20);
  expect(findBreaches(sources)).toEqual([]);
});

test('every ranked folder exists', () => {
  const folders = new Set(
    [...readSources('src').keys()].filter((path) => path.includes('/')).map((path) => path.split('/')[0]),
  );
  expect(Object.keys(folderRanks).filter((folder) => !folders.has(folder))).toEqual([]);
});

test('imports downwards, within a folder and among base files pass', () => {
  const files = {
    'bytes.ts': `import { limit } from './limits.ts';\nexport const a: number = limit;`,
    'limits.ts': 'export const limit: number = 1;',
    'aead/suite.ts': `import { a } from '../bytes.ts';\nexport const b: number = a;`,
    'aead/node.ts': `import { b } from './suite.ts';\nexport const c: number = b;`,
    'cli/bin.ts': `const { c } = await import('../aead/node.ts');\nprocess.exitCode = c;\nprocess.exit();`,
    'index.ts': `export { c } from './aead/node.ts';`,
  };
  expect(breachesIn(files)).toEqual([]);
});

test.each([
  ['static', `import { b } from '../envelope/header.ts';`],
  ['type-only', `import type { b } from '../envelope/header.ts';`],
  ['re-export', `export { b } from '../envelope/header.ts';`],
  ['re-export of all', `export * from '../envelope/header.ts';`],
  ['dynamic', `export const later = (): Promise<unknown> => import('../envelope/header.ts');`],
  ['type query', `export type B = import('../envelope/header.ts').B;`],
  ['require', `export const b: unknown = require('../envelope/header.ts');`],
])('an upward import is caught: %s', (_form, line) => {
  const files = {
    'aead/suite.ts': `// first line\n${line}`,
    'envelope/header.ts': 'export const b: number = 1;',
  };
  expect(breachesIn(files)).toEqual(['aead/suite.ts:2: imports envelope/header.ts, a higher layer']);
});

test('a base file that imports a layer is caught', () => {
  const files = { 'bytes.ts': `import './aead/suite.ts';`, 'aead/suite.ts': '' };
  expect(breachesIn(files)).toEqual(['bytes.ts:1: imports aead/suite.ts, a higher layer']);
});

test('an import across to a sibling is caught', () => {
  const files = { 'stream/pump.ts': `import '../kms/provider.ts';`, 'kms/provider.ts': '' };
  expect(breachesIn(files)).toEqual(['stream/pump.ts:1: imports kms/provider.ts, a sibling layer']);
});

test('an entry used inside src is caught', () => {
  const files = { 'sealed/buffer.ts': `import '../kms/index.ts';`, 'kms/index.ts': '' };
  expect(breachesIn(files)).toEqual(['sealed/buffer.ts:1: imports kms/index.ts, an entry meant for users']);
});

test('an unknown folder is caught', () => {
  expect(breachesIn({ 'helpers/misc.ts': '' })).toEqual(['helpers/misc.ts: a folder without a rank']);
});

test('a barrel inside a folder is caught', () => {
  expect(breachesIn({ 'aead/index.ts': '' })).toEqual(['aead/index.ts: a barrel inside a folder']);
});

test('a cycle is caught, of types as well', () => {
  const files = {
    'aead/a.ts': `import type { B } from './b.ts';\nexport type A = B;`,
    'aead/b.ts': `import type { C } from './c.ts';\nexport type B = C;`,
    'aead/c.ts': `import type { A } from './a.ts';\nexport type C = A;`,
  };
  expect(breachesIn(files)).toEqual(['cycle: aead/a.ts → aead/b.ts → aead/c.ts → aead/a.ts']);
});

test('a file of more than 500 lines is caught', () => {
  expect(breachesIn({ 'aead/long.ts': '\n'.repeat(500) })).toEqual([]);
  expect(breachesIn({ 'aead/long.ts': '\n'.repeat(501) })).toEqual([
    'aead/long.ts: 501 lines, more than 500',
  ]);
});

test('a package outside its folder, and one nobody declared, are caught', () => {
  expect(
    breachesIn({ 'aead/x.ts': `import '@noble/ciphers/chacha.js';`, 'cli/main.ts': `import 'commander';` }),
  ).toEqual([]);
  expect(breachesIn({ 'floe/x.ts': `import '@noble/ciphers/chacha.js';` })).toEqual([
    'floe/x.ts:1: imports @noble/ciphers/chacha.js, which is for aead/ alone',
  ]);
  expect(
    breachesIn({ 'kms/aws.ts': `export const sdk = (): unknown => import('@aws-sdk/client-kms');` }),
  ).toEqual(['kms/aws.ts:1: imports @aws-sdk/client-kms, a package without a rule']);
});

test('a computed import, one that leaves src and a missing file are caught', () => {
  const files = {
    'cli/main.ts': `export const run = (name: string): unknown => import(name);`,
    'cli/other.ts': `import '../../test/build.ts';`,
    'cli/gone.ts': `import './nothing.ts';`,
  };
  expect(breachesIn(files)).toEqual([
    'cli/main.ts:1: imports a computed name',
    'cli/other.ts:1: imports ../test/build.ts, not a file of src',
    'cli/gone.ts:1: imports cli/nothing.ts, not a file of src',
  ]);
});

test.each([
  ['call', 'process.exit(1);'],
  ['exit code', 'process.exitCode = 2;'],
  ['by key', `process['exit'](1);`],
  ['import', `import { exit } from 'node:process';`],
  ['destructuring', 'const { exit } = process;'],
  ['own signal', `process.kill(process.pid, 'SIGTERM');`],
])('ending the process outside the program’s main file is caught: %s', (_form, line) => {
  expect(breachesIn({ 'cli/main.ts': line })).toContain('cli/main.ts:1: ends the process');
  expect(breachesIn({ 'cli/bin.ts': line })).toEqual([]);
});

test('other uses of the process pass', () => {
  expect(
    breachesIn({ 'cli/main.ts': `const { env } = process;\nexport const argv: string[] = process.argv;` }),
  ).toEqual([]);
});

test('a path outside the repository is caught', () => {
  expect(breachesIn({ 'aead/x.ts': `const vectors = '../shared/vectors';` })).toEqual([
    'aead/x.ts: names a path outside the repository',
  ]);
});
