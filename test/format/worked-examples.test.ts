/**
 * The worked examples of docs/format/v1.md are what the code makes. `UPDATE=1` writes them into the document; otherwise a
 * difference is a failure. Randomness counts up from zero here, so that the file is the same each time.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { decrypt } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { referenceDecrypt } from '../reference/floe.ts';
import { deriveExampleKeys, type ExampleFile, example, exampleSecret, sealExample } from './example-file.ts';
import {
  type MutableExample,
  makeMutableExample,
  mutableExample,
  openMutableExample,
} from './mutable-file.ts';
import { cutOpen, endMarker, startMarker, workedExamples } from './worked-examples.ts';

const counter = vi.hoisted(() => ({ next: 0 }));

vi.mock('../../src/random.ts', () => {
  const fillRandom = (target: Uint8Array): void => {
    for (let i = 0; i < target.length; i++) target[i] = counter.next++ & 0xff;
  };
  const randomSecret = (bytes: number): Uint8Array => {
    const drawn = new Uint8Array(bytes);
    fillRandom(drawn);
    return drawn;
  };
  return { fillRandom, randomSecret };
});

const repository = fileURLToPath(new URL('../../', import.meta.url));
const document = `${repository}docs/format/v1.md`;
let file: ExampleFile;
let mutable: MutableExample;

beforeAll(async () => {
  counter.next = 0;
  file = await sealExample();
  counter.next = 0;
  mutable = await makeMutableExample();
});

it('the document shows what the code makes', async () => {
  const text = readFileSync(document, 'utf8');
  const [before, rest, ...more] = text.split(startMarker);
  const [shown, after, ...others] = (rest ?? '').split(endMarker);
  expect([more, others, after !== undefined]).toEqual([[], [], true]);
  const made = `\n\n${await workedExamples(file, mutable)}\n\n`;
  if (process.env['UPDATE'] !== undefined && shown !== made) {
    writeFileSync(document, `${before}${startMarker}${made}${endMarker}${after}`);
    return;
  }
  expect(shown, 'write it again with UPDATE=1').toBe(made);
});

it('the file opens, and its random bytes are those of the text', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_any: exampleSecret } });
  expect(Buffer.from(await decrypt(file.sealed, { keys })).toString()).toBe(example.plain);
  const counted = (from: number, bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, (_, i) => from + i);
  expect(deriveExampleKeys(file).dataKey).toEqual(counted(0, 32));
  expect(file.sealed.subarray(28, 44)).toEqual(counted(32, 16));
  expect(file.sealed.subarray(54, 86)).toEqual(counted(48, 32));
});

it('the derived keys open it without the library', () => {
  const { floeKey, associatedData, headerTag } = deriveExampleKeys(file);
  expect(file.sealed.subarray(86, 118)).toEqual(headerTag);
  const message = Buffer.concat([file.sealed.subarray(44, 118), file.sealed.subarray(file.map.regionBytes)]);
  expect(Buffer.from(referenceDecrypt(floeKey, message, associatedData)).toString()).toBe(example.plain);
});

it('the mutable file opens under its volume key, and its random bytes are those of the text', () => {
  const { keys, sealed } = mutable;
  const counted = (from: number, bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, (_, i) => from + i);
  expect(keys.dataKey).toEqual(counted(0, 32));
  expect(sealed.subarray(28, 44)).toEqual(counted(32, 16));
  expect(sealed.subarray(54, 86)).toEqual(counted(48, 32));
  // The prefix of the nonce is kept over both seals; the rest is new.
  expect(sealed.subarray(4_100, 4_124)).toEqual(Uint8Array.from([...counted(104, 12), ...counted(128, 12)]));
  expect(Buffer.from(openMutableExample(mutable)).toString()).toBe(mutableExample.plain.join(''));
});

it('the derived keys open the mutable file without the library', () => {
  const { associatedData, floeKey, headerTag } = mutable.keys;
  const { sealed } = mutable;
  expect(sealed.subarray(86, 118)).toEqual(headerTag);
  const message = Buffer.concat([sealed.subarray(44, 118), sealed.subarray(4_096)]);
  expect(Buffer.from(referenceDecrypt(floeKey, message, associatedData)).toString()).toBe(
    mutableExample.plain.join(''),
  );
});

describe('what the document tells to type', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'volseal-format-'));
    writeFileSync(join(directory, 'example.vsl'), file.sealed);
    cpSync(`${repository}test/interop/volseal.py`, join(directory, 'volseal.py'));
    mkdirSync(join(directory, 'node_modules'));
    symlinkSync(repository, join(directory, 'node_modules', 'volseal'));
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  const run = (command: string, ...given: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(command, given, { cwd: directory, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    return stdout;
  };

  it('the JavaScript program decrypts the message', () => {
    const { program } = cutOpen(file);
    expect(readFileSync(document, 'utf8')).toContain(program);
    writeFileSync(join(directory, 'example.mjs'), program);
    expect(run(process.execPath, 'example.mjs')).toBe(example.plain);
  });

  it('the shell commands and the Python program do', ({ skip }) => {
    const python = '/usr/bin/python3';
    if (spawnSync(python, ['-c', 'import cryptography']).status !== 0)
      skip(`no ${python} with the package cryptography`);
    const { shell } = cutOpen(file);
    expect(readFileSync(document, 'utf8')).toContain(shell);
    expect(run('sh', '-c', shell.replace('python3', `${python} -B`))).toBe(example.plain);
    const printed = run(
      'sh',
      '-c',
      `VOLSEAL_SECRET_any=${exampleSecret} ${python} -B volseal.py floe-key example.vsl`,
    );
    const { floeKey, associatedData } = deriveExampleKeys(file);
    const lines = [floeKey, associatedData].map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(printed.trimEnd().split('\n')).toEqual(lines);
  });
});
