/** Volumes where it takes streams, other writers or a terminal of one's own. */

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { flySecrets } from 'volseal/kms';
import { openVolume } from 'volseal';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { InputStream } from '../../src/cli/io.ts';
import { FileLocks } from '../../src/fs/locks/file-locks.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { interruptedBy, type RunOptions, type RunResult, runMain, stalledInput } from './in-process.ts';
import { secretFor } from './script.ts';

const env = { VOLSEAL_SECRET_v1: secretFor('v1') };

let folder: string;
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'volseal-volume-')));
});

afterEach(() => fs.rmSync(folder, { recursive: true }));

/** Makes a volume and gives its recovery key. */
async function makeVolume(name = 'data'): Promise<string> {
  const { code, stdout } = await runMain(['init', at(name)]);
  expect(code).toBe(0);
  return stdout.trim();
}

const openHere = (name = 'data'): ReturnType<typeof openVolume> =>
  openVolume(at(name), { keys: flySecrets({ env }) });

async function succeed(argv: readonly string[], options?: RunOptions): Promise<RunResult> {
  const result = await runMain(argv, options);
  expect(result, argv.join(' ')).toMatchObject({ code: 0 });
  return result;
}

async function put(name: string, text: string): Promise<void> {
  fs.writeFileSync(at('source'), text);
  await succeed(['put', '--force', at('source'), at(name)]);
}

const jsonOf = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const unfinished = (): string[] =>
  fs
    .readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => /\.volseal-(?:tmp|[0-9a-f]{16})/.test(name));

describe('beside an app that has the volume open', () => {
  test('what it has open for writing is busy: exit code 9, with its process and what to do', async () => {
    await makeVolume();
    await put('data/log', 'first');
    await using app = await openHere();
    await using handle = await app.open('log', 'r+');
    fs.writeFileSync(at('other'), 'other');
    const { code, stderr } = await runMain(['put', '--force', at('other'), at('data/log')]);
    expect(code).toBe(9);
    expect(stderr).toContain(
      `volseal: ${at('data/log')}: process ${process.pid} has it open for writing\nhint: try again when it has closed the file`,
    );
    const json = await runMain(['put', '--json', '--force', at('other'), at('data/log')]);
    expect(json.code).toBe(9);
    expect(json.stdout).toContain('"code":"ERR_VOLSEAL_BUSY"');
    await handle.write('more');
    await handle.sync();
    // It can be read all the while, as it was synced last; and other files are free.
    expect((await succeed(['cat', at('data/log')])).stdout).toBe('moret');
    await succeed(['put', at('other'), at('data/new')]);
    expect(await app.readFile('new', 'utf8')).toBe('other');
    const status = await succeed(['status', '--json', '--volume', at('data')]);
    expect(jsonOf(status.stdout)).toMatchObject({
      files: { sealed: { files: 2, plainBytes: 10 } },
      leftovers: { journals: { pending: 0, live: 1 } },
    });
    const text = await succeed(['status', '--volume', at('data')]);
    expect(text.stdout).toMatch(/^in use {6}1 journal$/m);
  });

  test('mv takes nothing to another volume that is being written', async () => {
    await makeVolume();
    await makeVolume('other');
    await put('data/log', 'first');
    const argv = ['mv', at('data/log'), at('other/log')];
    {
      await using app = await openHere();
      await using handle = await app.open('log', 'r+');
      await handle.write('later');
      const { code, stderr } = await runMain(argv);
      expect(code).toBe(9);
      expect(stderr).toContain(`${at('data/log')}: process ${process.pid} has it open for writing`);
    }
    expect(fs.existsSync(at('other/log'))).toBe(false);
    await succeed(argv);
    expect((await succeed(['cat', at('other/log')])).stdout).toBe('later');
    expect(fs.existsSync(at('data/log'))).toBe(false);
    const locks = fs.readdirSync(at('data/.volseal/locks'));
    expect(locks.filter((name) => name.endsWith('.write'))).toEqual([]);
  });

  test('a keyring that somebody is changing is busy', async () => {
    await makeVolume();
    const locks = new FileLocks(nodeSystem, at('data/.volseal/locks'));
    const lock = await locks.acquire('keyring', { path: 'keyring' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    let ended = false;
    const running = runMain(['recovery', 'create', '--force', '--volume', at('data')]).finally(() => {
      ended = true;
    });
    while (!ended) {
      await new Promise((resolve) => setImmediate(resolve));
      vi.advanceTimersByTime(100);
    }
    vi.useRealTimers();
    await lock.release();
    const { code, stderr, stdout } = await running;
    expect({ code, stdout }).toEqual({ code: 9, stdout: '' });
    expect(stderr).toContain(`volseal: ${at('data')}: process ${process.pid} is changing the keyring\n`);
    await succeed(['recovery', 'create', '--force', '--volume', at('data')]);
  });

  test('a journal that nobody writes any more is told', async () => {
    await makeVolume();
    await put('data/log', 'first');
    const journals = at('data/.volseal/journal');
    {
      await using app = await openHere();
      await using handle = await app.open('log', 'r+');
      await handle.write('later');
      await handle.sync();
      fs.cpSync(journals, at('kept'), { recursive: true });
    }
    expect(fs.readdirSync(journals)).toEqual([]);
    fs.cpSync(at('kept'), journals, { recursive: true });
    const { stdout } = await succeed(['status', '--volume', at('data')]);
    expect(stdout).toMatch(/^left over {3}1 journal, to be settled when the file is opened for writing$/m);
    expect((await succeed(['cat', at('data/log')])).stdout).toBe('later');
  });

  test('a volume key that the command line made is known to it at once', async () => {
    await makeVolume();
    await using app = await openHere();
    await succeed(['recovery', 'create', '--force', '--volume', at('data')]);
    await put('data/file', 'under the new key');
    expect(await app.readFile('file', 'utf8')).toBe('under the new key');
    await app.writeFile('back', 'and back');
    expect((await succeed(['cat', at('data/back')])).stdout).toBe('and back');
  });
});

/** A terminal that someone types at. */
function typing(...keys: string[]): InputStream & { modes: boolean[] } {
  const stream = new PassThrough();
  for (const key of keys) stream.write(key);
  const modes: boolean[] = [];
  return Object.assign(stream, {
    isTTY: true,
    modes,
    setRawMode: (raw: boolean) => modes.push(raw),
  });
}

describe('a recovery key at the terminal', () => {
  const terminals = ['stdout', 'stderr'] as const;

  test('is asked for, and not shown', async () => {
    const key = await makeVolume();
    const stdin = typing('wrong', '\u0015', `${key.slice(0, 20)}x\u007f`, `${key.slice(20)}\r`);
    const { stderr, stdout } = await succeed(['recovery', 'test', '--volume', at('data')], {
      stdin,
      terminals,
    });
    expect(stdin.modes).toEqual([true, false]);
    expect(stdout).toBe('');
    expect(stderr).toContain('Recovery key (not shown): \n');
    expect(stderr).toContain('this recovery key opens');
    expect(stderr).not.toContain(key.slice(5, 15));
  });

  test('opens a volume for any command', async () => {
    const key = await makeVolume();
    await put('data/file', 'text');
    const stdin = typing(`${key}\n`);
    const argv = ['cat', '--kms', 'recovery:', at('data/file')];
    expect((await succeed(argv, { stdin, terminals: ['stderr'], env: {} })).stdout).toBe('text');
  });

  test.each([
    ['Ctrl-C', '\u0003', 130],
    ['Ctrl-D', '\u0004', 130],
    ['nothing but return', '\r', 3],
  ])('%s', async (_name, pressed, exitCode) => {
    await makeVolume();
    const stdin = typing(pressed);
    const { code } = await runMain(['recovery', 'test', '--volume', at('data')], { stdin, terminals });
    expect(code).toBe(exitCode);
    expect(stdin.modes).toEqual([true, false]);
  });

  test('a signal gives the terminal back as it was', async () => {
    await makeVolume();
    const { controller, interrupt } = interruptedBy('SIGTERM', 143);
    const stdin = typing('vrk1-');
    const running = runMain(['recovery', 'test', '--volume', at('data')], {
      stdin,
      terminals,
      signal: controller.signal,
    });
    while (stdin.modes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    interrupt();
    expect((await running).code).toBe(143);
    expect(stdin.modes).toEqual([true, false]);
  });

  test('a new one is said to be on the screen', async () => {
    const { stderr, stdout } = await succeed(['init', at('data')], { terminals });
    expect(stderr).toContain('It is on this screen now');
    expect(stderr).not.toContain(stdout.trim());
  });
});

test('no command shows a secret or a recovery key, but for the one that makes it', async () => {
  const recoveryKey = await makeVolume();
  fs.writeFileSync(at('source'), 'text');
  const secrets = [env.VOLSEAL_SECRET_v1, recoveryKey, recoveryKey.slice(5, 25)];
  const withKey = { env: { ...env, VOLSEAL_RECOVERY_KEY: recoveryKey, VOLSEAL_KMS: 'recovery:' } };
  for (const argv of [
    ['put', at('source'), at('data/a')],
    ['ls', '-l', at('data')],
    ['status', '--volume', at('data')],
    ['status', '--json', '--volume', at('data')],
    ['cat', at('data/a')],
    ['cat', at('data/missing')],
    ['get', '--json', at('data/a'), at('out')],
    ['inspect', at('data/a')],
    ['keyring', 'export', '-', '--volume', at('data')],
    ['keyring', 'export', '--json', at('exported'), '--volume', at('data')],
    ['recovery', 'create', '--volume', at('data')],
    ['rm', '--json', at('data/a')],
  ]) {
    const { stderr, stdout } = await runMain(argv, withKey);
    for (const secret of secrets) expect(stdout + stderr, argv.join(' ')).not.toContain(secret);
  }
  for (const name of fs.readdirSync(folder, { recursive: true }).map(String)) {
    if (!fs.statSync(at(name)).isFile()) continue;
    for (const secret of secrets) expect(fs.readFileSync(at(name), 'latin1'), name).not.toContain(secret);
  }
});

describe('interrupted', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('put by %s: exit code %i, and nothing is left, folders neither', async (name, exitCode) => {
    await makeVolume();
    const { controller, interrupt } = interruptedBy(name, exitCode);
    const stdin = stalledInput(Buffer.alloc(3_000_000));
    const running = runMain(['put', '-', at('data/a/b/c')], { stdin, signal: controller.signal });
    while (unfinished().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    interrupt();
    const { code, stderr } = await running;
    expect(code).toBe(exitCode);
    expect(stderr).toContain('volseal: interrupted; nothing unfinished was left behind');
    expect(fs.readdirSync(at('data'))).toEqual(['.volseal']);
  });

  test.each(['put', 'get', 'rm'])('%s before it began changes nothing', async (command) => {
    await makeVolume();
    await put('data/file', 'text');
    const argv = {
      put: ['put', at('source'), at('data/new')],
      get: ['get', at('data/file'), at('new')],
      rm: ['rm', at('data/file')],
    }[command] as string[];
    const { controller, interrupt } = interruptedBy('SIGINT', 130);
    interrupt();
    const { code } = await runMain(argv, { signal: controller.signal });
    expect(code).toBe(130);
    expect(fs.readdirSync(at('data')).toSorted()).toEqual(['.volseal', 'file']);
    expect(fs.existsSync(at('new'))).toBe(false);
  });

  test('ls and status', async () => {
    await makeVolume();
    await put('data/file', 'text');
    const { controller, interrupt } = interruptedBy('SIGINT', 130);
    interrupt();
    const { signal } = controller;
    expect((await runMain(['ls', at('data')], { signal })).code).toBe(130);
    expect((await runMain(['status', '--volume', at('data')], { signal })).code).toBe(130);
  });
});

test('a source that fails in the middle leaves nothing, and the old content', async () => {
  await makeVolume();
  await put('data/file', 'old');
  const stdin = Readable.from(
    (function* () {
      yield Buffer.alloc(2_000_000);
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' });
    })(),
  );
  const { code, stderr } = await runMain(['put', '--force', '-', at('data/file')], { stdin });
  expect(code).toBe(5);
  expect(stderr).toContain('standard input');
  expect((await succeed(['cat', at('data/file')])).stdout).toBe('old');
  expect(unfinished()).toEqual([]);
});

test('what is finished is told on a terminal, elsewhere not', async () => {
  await makeVolume();
  fs.writeFileSync(at('source'), 'text');
  const told = { terminals: ['stderr'] as const };
  expect((await succeed(['put', at('source'), at('data/a')], told)).stderr).toBe(
    `volseal: ${at('source')} -> ${at('data/a')}\n`,
  );
  expect((await succeed(['put', at('source'), at('data/b')])).stderr).toBe('');
  expect((await succeed(['mv', at('data/a'), at('data/c')], told)).stderr).toBe(
    `volseal: ${at('data/a')} -> ${at('data/c')}\n`,
  );
  expect((await succeed(['rm', at('data/b')], told)).stderr).toBe(`volseal: removed ${at('data/b')}\n`);
});

test('put tells programs of each file, and of the whole', async () => {
  await makeVolume();
  fs.writeFileSync(at('one'), '1');
  fs.writeFileSync(at('two'), '22');
  const { stdout } = await succeed(['put', '--json', '--jobs', '1', at('one'), at('two'), at('data/both')]);
  const lines = stdout.trimEnd().split('\n').map(jsonOf);
  expect(lines).toEqual([
    { event: 'start', command: 'put', totalItems: 2, totalBytes: 3 },
    { event: 'file', source: at('one'), destination: at('data/both/one'), plainBytes: 1 },
    { event: 'file', source: at('two'), destination: at('data/both/two'), plainBytes: 2 },
    {
      event: 'done',
      items: 2,
      failed: 0,
      skipped: 0,
      plainBytes: 3,
      seconds: expect.any(Number) as number,
      exitCode: 0,
    },
  ]);
});

describe.skipIf(process.geteuid?.() !== 0)('as root, in a volume of the app', () => {
  const [uid, gid] = [1234, 1235];

  test('all that is made belongs to the app', async () => {
    fs.mkdirSync(at('data'));
    fs.chownSync(at('data'), uid, gid);
    await makeVolume();
    fs.mkdirSync(at('tree/sub'), { recursive: true });
    fs.writeFileSync(at('tree/sub/file'), 'text');
    await succeed(['put', '-r', at('tree'), at('data/tree')]);
    await put('data/made/for/it', 'text');
    await succeed(['mv', at('data/made/for/it'), at('data/tree')]);
    await succeed(['recovery', 'create', '--force', '--volume', at('data')]);
    const exported = at('exported');
    await succeed(['keyring', 'export', exported, '--volume', at('data')]);
    fs.rmSync(at('data/.volseal'), { recursive: true });
    await succeed(['keyring', 'restore', exported, '--volume', at('data')]);
    await put('data/tree/later', 'text');
    const owners = fs
      .readdirSync(at('data'), { recursive: true })
      .map((name) => fs.lstatSync(at(`data/${String(name)}`)))
      .map((stats) => `${stats.uid}:${stats.gid}`);
    expect(owners.length).toBeGreaterThan(8);
    expect([...new Set(owners)]).toEqual([`${uid}:${gid}`]);
  });

  test('what is got out of it belongs to its owner', async () => {
    await makeVolume();
    await put('data/file', 'text');
    fs.chownSync(at('data/file'), uid, gid);
    await succeed(['get', at('data/file'), at('out')]);
    const stats = fs.statSync(at('out'));
    expect([stats.uid, stats.gid]).toEqual([uid, gid]);
  });
});

test('plaintext got out of a volume is nobody else’s to read before it is finished', async () => {
  await makeVolume();
  await put('data/file', 'x'.repeat(5_000_000));
  fs.chmodSync(at('data/file'), 0o644);
  const modes = new Set<number>();
  const watcher = fs.watch(folder, (_event, name) => {
    if (name === null || !name.endsWith('.tmp')) return;
    const stats = fs.statSync(at(name), { throwIfNoEntry: false });
    // Its last mode comes with all of its bytes.
    if (stats !== undefined && stats.size < 5_000_000) modes.add(stats.mode & 0o777);
  });
  await succeed(['get', at('data/file'), at('out')]);
  watcher.close();
  expect([...modes].filter((mode) => mode !== 0o600)).toEqual([]);
  expect(fs.statSync(at('out')).mode & 0o777).toBe(0o644);
  expect(unfinished()).toEqual([]);
});

test('every command of a command has a help with examples, and the page names it with its options', async () => {
  const page = fs.readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  for (const name of ['keyring export', 'keyring restore', 'recovery create', 'recovery test']) {
    const { stdout } = await succeed([...name.split(' '), '--help']);
    expect(stdout, name).toContain(`Usage: volseal ${name}`);
    expect(stdout, name).toMatch(new RegExp(String.raw`\nExamples:\n(?:.*\n)*.*volseal ${name}`));
    expect(page, name).toContain(`volseal ${name}`);
    const options = [...stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option ?? '');
    expect(options, name).toContain('--volume');
    expect(
      options.filter((option) => !page.includes(`\`${option}`)),
      `options of ${name} that docs/cli.md does not name`,
    ).toEqual([]);
  }
});
