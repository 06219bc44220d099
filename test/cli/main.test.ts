/** What only shows with streams of one's own: terminals, interruption, warnings, failures of the output. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { interruptedBy, runMain, stalledInput } from './in-process.ts';
import { secretFor } from './script.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'volseal-main-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

interface JsonError {
  error: { code: string; message: string; hint?: string; path?: string };
}

const jsonLines = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

describe('a terminal as standard output', () => {
  test.each(['encrypt', 'decrypt'])('%s - is refused before anything is read', async (command) => {
    const stdin = stalledInput(Buffer.from('text'));
    const { code, stderr, stdout } = await runMain([command, '-'], { stdin, terminals: ['stdout'] });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('the result would go to the terminal');
    expect(stderr).toContain('hint: name a file with -o, or give -o -');
  });

  test('-o - forces it', async () => {
    const stdin = Readable.from([Buffer.from('text')]);
    const { code, stdout } = await runMain(['encrypt', '-', '-o', '-'], { stdin, terminals: ['stdout'] });
    expect(code).toBe(0);
    expect(stdout.length).toBeGreaterThan(4_000);
  });

  test('keygen says that the secret is on the screen', async () => {
    const { code, stderr, stdout } = await runMain(['keygen'], { terminals: ['stdout'] });
    expect(code).toBe(0);
    expect(stderr).toContain('on this screen');
    expect(stderr).not.toContain(stdout.trim());
  });
});

describe('a terminal as standard error', () => {
  test('a finished file is told, elsewhere not', async () => {
    writeFileSync(at('told'), 'text');
    const watched = await runMain(['encrypt', at('told')], { terminals: ['stderr'] });
    expect(watched).toEqual({ code: 0, stdout: '', stderr: `volseal: ${at('told')} -> ${at('told.vsl')}\n` });
    expect(await runMain(['encrypt', '--force', at('told')])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('errors are red, unless NO_COLOR or a dumb terminal', async () => {
    const argv = ['decrypt', at('nothing.vsl')];
    const coloured = await runMain(argv, {
      terminals: ['stderr'],
      env: { VOLSEAL_SECRET_v1: secretFor('v1') },
    });
    expect(coloured.stderr).toContain('\u001b[31m');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const plain = await runMain(argv, {
        terminals: ['stderr'],
        env: { VOLSEAL_SECRET_v1: secretFor('v1'), ...env },
      });
      expect(plain.stderr).not.toContain('\u001b');
      expect(plain.stderr).toContain('no such file');
    }
  });
});

describe('interrupted', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('by %s while standard input waits: exit code %i and nothing left', async (name, exitCode) => {
    const { controller, interrupt } = interruptedBy(name, exitCode);
    const out = at(`interrupted-${name}`);
    const running = runMain(['encrypt', '-', '-o', out], {
      stdin: stalledInput(Buffer.alloc(3_000_000)),
      signal: controller.signal,
    });
    // Once its temporary file is there, the work is under way.
    while (!readdirSync(folder).some((entry) => entry.endsWith('.tmp')))
      await new Promise((resolve) => setTimeout(resolve, 5));
    interrupt();
    const { code, stderr } = await running;
    expect(code).toBe(exitCode);
    expect(stderr).toContain('volseal: interrupted; nothing unfinished was left behind');
    expect(
      readdirSync(folder).filter((entry) => entry.endsWith('.tmp') || entry.startsWith('interrupted-')),
    ).toEqual([]);
  });

  test('cat, with --json: the error on standard error, for standard output carries data', async () => {
    const { controller, interrupt } = interruptedBy('SIGINT', 130);
    const running = runMain(['cat', '--json', '-'], {
      stdin: stalledInput(Buffer.alloc(10)),
      signal: controller.signal,
    });
    setImmediate(interrupt);
    const { code, stderr, stdout } = await running;
    expect(code).toBe(130);
    expect(stdout).toBe('');
    expect((JSON.parse(stderr) as JsonError).error.code).toBe('ERR_VOLSEAL_ABORTED');
  });

  test('before it began: no file is touched', async () => {
    const { controller, interrupt } = interruptedBy('SIGINT', 130);
    interrupt();
    writeFileSync(at('untouched'), 'text');
    const { code, stdout } = await runMain(['encrypt', '--json', at('untouched')], {
      signal: controller.signal,
    });
    expect(code).toBe(130);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ event: 'done', items: 0, exitCode: 130 });
    expect(readdirSync(folder)).not.toContain('untouched.vsl');
  });
});

describe('what is said to programs', () => {
  test('a warning is an event', async () => {
    writeFileSync(at('warned'), 'text');
    const env = { VOLSEAL_SECRET_a: secretFor('x'), VOLSEAL_SECRET_b: secretFor('x'), VOLSEAL_PRIMARY: 'a' };
    const { code, stderr, stdout } = await runMain(['encrypt', '--json', at('warned')], { env });
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(jsonLines(stdout)).toContainEqual({
      event: 'warning',
      message: expect.stringContaining(
        'VOLSEAL_SECRET_a and VOLSEAL_SECRET_b hold the same secret',
      ) as string,
    });
  });

  test('with --quiet a warning is not', async () => {
    const env = { VOLSEAL_SECRET_a: secretFor('x'), VOLSEAL_SECRET_b: secretFor('x'), VOLSEAL_PRIMARY: 'a' };
    const { code, stderr } = await runMain(['encrypt', '--quiet', '--force', at('warned')], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('a failure of one of several has its event, and the whole its end', async () => {
    writeFileSync(at('good'), 'text');
    const { code, stdout } = await runMain([
      'encrypt',
      '--json',
      at('good'),
      at('missing'),
      '-o',
      at('many'),
    ]);
    expect(code).toBe(5);
    const error = {
      code: 'ERR_VOLSEAL_NOT_FOUND',
      message: `${at('missing')}: no such file or directory`,
      hint: 'check the path',
      path: at('missing'),
    };
    expect(jsonLines(stdout)).toEqual([
      { event: 'error', source: at('missing'), error },
      { event: 'start', command: 'encrypt', totalItems: 1, totalBytes: 4 },
      expect.objectContaining({
        event: 'file',
        source: at('good'),
        destination: join(at('many'), 'good.vsl'),
        plainBytes: 4,
      }),
      expect.objectContaining({ event: 'done', items: 1, failed: 1, skipped: 0, plainBytes: 4, exitCode: 5 }),
    ]);
  });

  test.each([
    [['--json'], 'ERR_VOLSEAL_UNKNOWN_OPTION', ['encrypt', '--forse', 'x']],
    [['--json'], 'ERR_VOLSEAL_INVALID_ARGUMENT', ['encrypt']],
    [['--json'], 'ERR_VOLSEAL_INVALID_ARGUMENT', ['surprise']],
  ])('%j before a mistake', async (before, expected, argv) => {
    const { code, stderr, stdout } = await runMain([...before, ...argv]);
    expect(code).toBe(2);
    expect(stderr).toBe('');
    expect((JSON.parse(stdout) as JsonError).error.code).toBe(expected);
  });

  test('--json behind -- is the name of a file', async () => {
    const { code, stderr, stdout } = await runMain(['encrypt', '--forse', '--', '--json']);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain("unknown option '--forse'");
  });
});

test('an unexpected error is a defect: exit code 1, with the stack for a report', async () => {
  const stdin = new Readable({
    read() {
      this.destroy(new RangeError('boom'));
    },
  });
  const { code, stderr } = await runMain(['encrypt', '-', '-o', at('never')], { stdin });
  expect(code).toBe(1);
  expect(stderr).toContain('RangeError: boom\n');
  expect(stderr).toContain('volseal: unexpected error: boom\nhint: this is a defect of volseal');
  expect(readdirSync(folder)).not.toContain('never');
});

test('no command shows a secret that it was given', async () => {
  const secret = secretFor('v1');
  writeFileSync(at('secretive'), 'text');
  for (const argv of [
    ['encrypt', '--json', '--force', at('secretive')],
    ['decrypt', '--json', '--force', at('secretive.vsl')],
    ['inspect', at('secretive.vsl')],
    ['inspect', '--json', at('secretive.vsl')],
    ['cat', at('secretive.vsl')],
    ['decrypt', at('secretive')],
  ]) {
    const { stderr, stdout } = await runMain(argv);
    expect(stdout + stderr, argv.join(' ')).not.toContain(secret);
  }
  expect(readFileSync(at('secretive'), 'utf8')).toBe('text');
});

test('every command has a help with examples, and the page names them all', async () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const { stdout: main } = await runMain(['--help']);
  const names = [...main.matchAll(/^ {2}([a-z]+) /gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help');
  expect(names).toEqual(expect.arrayContaining(['keygen', 'encrypt', 'decrypt', 'cat', 'inspect', 'speed']));
  for (const name of names.filter((one) => one !== 'volseal' && one !== 'fly')) {
    const { code, stdout } = await runMain([name, '--help']);
    expect(code).toBe(0);
    expect(stdout, name).toContain(`Usage: volseal ${name}`);
    expect(stdout, name).toMatch(new RegExp(String.raw`\nExamples:\n(?:.*\n)*.*volseal ${name}`));
    expect(page, name).toContain(`volseal ${name}`);
    const options = [...stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option ?? '');
    expect(options).toContain('--json');
    expect(
      options.filter((option) => !page.includes(`\`${option}`)),
      `options of ${name} that docs/cli.md does not name`,
    ).toEqual([]);
  }
});
