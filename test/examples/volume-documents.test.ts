/** docs/volumes.md, docs/durability.md and the recipes for volumes: their code runs, their commands work, their names exist. */

import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import * as volseal from '../../src/index.ts';
import { flySecrets, recoveryKey } from '../../src/kms/index.ts';
import { generateSecret } from '../../src/kms/secret-value.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const document = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8');
const [volumes, recipes, cli] = [document('volumes.md'), document('recipes.md'), document('cli.md')];
const secret = generateSecret();
const env = { VOLSEAL_SECRET_v1: secret };
const keys = flySecrets({ env });
/** An app that has volseal installed. */
const app = mkdtempSync(join(tmpdir(), 'volseal-volumes-md-'));

beforeAll(() => {
  mkdirSync(join(app, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(root, join(app, 'node_modules', 'volseal'));
  symlinkSync(join(root, 'dist', 'cli', 'bin.js'), join(app, 'node_modules', '.bin', 'volseal'));
});
beforeEach(() => {
  for (const name of readdirSync(app)) {
    if (name !== 'node_modules') rmSync(join(app, name), { recursive: true });
  }
});
afterAll(() => rmSync(app, { recursive: true }));

function sh(script: string, more: NodeJS.ProcessEnv = {}): string {
  const PATH = `${join(app, 'node_modules', '.bin')}:${dirname(process.execPath)}:${process.env['PATH']}`;
  return execFileSync('sh', ['-ec', script], {
    cwd: app,
    env: { PATH, HOME: app, npm_config_offline: 'true', ...env, ...more },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function block(text: string, language: string, containing: string): string {
  const blocks = [...text.matchAll(new RegExp(`^ *\`\`\`${language}\\n(.*?)^ *\`\`\``, 'gms'))].map(
    (match) => match[1] as string,
  );
  const found = blocks.filter((code) => code.includes(containing));
  expect(found.length).toBe(1);
  return found[0] as string;
}

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

/** Runs a piece of a document with what it takes for granted. */
async function runPiece(code: string, given: Record<string, unknown>): Promise<unknown> {
  const withoutImports = code.replaceAll(/^import .*\n/gm, '');
  return new AsyncFunction(...Object.keys(given), withoutImports)(...Object.values(given));
}

async function newVolume(): Promise<volseal.Volume> {
  mkdirSync(join(app, 'data'));
  return volseal.openVolume(join(app, 'data'), { keys, create: true });
}

describe('volumes.md', () => {
  it('its first program runs', () => {
    writeFileSync(join(app, 'first.mjs'), block(volumes, 'js', '// first.mjs'));
    expect(sh('mkdir data; node first.mjs')).toBe('The volume is sealed.\nAnd it can be changed.\n\n');
  });

  it('its functions are those of a volume, and of a handle', async () => {
    const named = (text: string): string[] =>
      [...text.matchAll(/`(\w+)`/g)].map((match) => match[1] as string);
    const table = /\| as in `node:fs\/promises` \|.*\n\|---\|---\|\n(.*)\n/.exec(volumes)?.[1] as string;
    const names = named(table.replace('`node:fs`', ''));
    expect(names.length).toBeGreaterThan(30);
    const volume = await newVolume();
    expect(
      names.filter((name) => typeof (volume as unknown as Record<string, unknown>)[name] !== 'function'),
    ).toEqual([]);
    const handle = await volume.open('a', 'w');
    const methods = /A handle has (.*?), and can be used/s.exec(volumes)?.[1] as string;
    const ofHandle = named(methods);
    expect(ofHandle.length).toBeGreaterThan(14);
    expect(
      ofHandle.filter((name) => typeof (handle as unknown as Record<string, unknown>)[name] !== 'function'),
    ).toEqual([]);
    await volume.close();
  });

  it('its examples do what they say', async () => {
    const volume = await newVolume();
    await volume.mkdir('notes');
    const bytes = Buffer.from('bytes');
    await runPiece(
      block(volumes, 'js', "volume.writeFile('a.txt', 'text')").replaceAll(
        "await volume.rm('a'",
        "return (await volume.readFile('copy.txt', 'utf8')); await volume.rm('a'",
      ),
      { volume, bytes },
    ).then((text) => expect(text).toBe('text'));
    await expect(
      runPiece(block(volumes, 'js', "tenant: 'globex'"), { volume: await inFolder(volume, 'acme') }),
    ).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_CONTEXT_MISMATCH',
    });
    await volume.writeFile('table.bin', Buffer.alloc(2_000_000, 7));
    await runPiece(block(volumes, 'js', "volume.open('table.bin', 'r+')"), {
      volume,
      bytes,
      buffer: Buffer.alloc(4096),
    });
    expect((await volume.readFile('table.bin')).subarray(999_999, 1_000_006).toString()).toBe(
      '\u0007bytes\u0007',
    );

    await volume.mkdir('uploads');
    const request = Readable.from([Buffer.alloc(3_000_000, 8)]);
    let received = 0;
    const response = new Writable({
      write(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        done();
      },
    });
    const { pipeline } = await import('node:stream/promises');
    await runPiece(block(volumes, 'js', 'pipeline(request'), { volume, pipeline, request, response });
    expect(received).toBe(1_000_000);
    await volume.close();
  });

  it('its recovery key opens the volume without the secret', async () => {
    const code = block(volumes, 'js', 'const { volumeId, recoveryKey }').replaceAll("'/data'", 'data');
    const data = join(app, 'data');
    mkdirSync(data);
    const made = (await runPiece(`${code}\nreturn { volumeId, recoveryKey };`, {
      data,
      initVolume: volseal.initVolume,
      flySecrets: () => keys,
    })) as { recoveryKey: string };
    const volume = await volseal.openVolume(data, { keys });
    await volume.writeFile('a', 'kept');
    await volume.close();
    const opening = block(volumes, 'js', 'keys: recoveryKey(text)').replaceAll("'/data'", 'data');
    const opened = (await runPiece(`${opening}\nreturn volume;`, {
      data,
      text: made.recoveryKey,
      openVolume: volseal.openVolume,
      recoveryKey,
    })) as volseal.Volume;
    expect(await opened.readFile('a', 'utf8')).toBe('kept');
    await expect(opened.writeFile('a', 'x')).rejects.toMatchObject({ code: 'EROFS' });
    await opened.close();
  });

  it('its command lines work, in their order', { timeout: 60_000 }, () => {
    writeFileSync(join(app, 'photo.jpg'), 'photo');
    const lines = block(volumes, 'sh', 'volseal put photo.jpg').trimEnd().split('\n');
    expect(lines.length).toBe(9);
    sh(lines.join('\n'));
    expect(readFileSync(join(app, 'copy.jpg'), 'utf8')).toBe('photo');
    expect(readdirSync(join(app, 'copies'))).toEqual(['1.jpg']);
    expect(readdirSync(join(app, 'data', 'photos'))).toEqual([]);
  });

  it('names the defaults that hold', async () => {
    const volume = await newVolume();
    const { segmentBytes, requireContext } = volume.keyring.policy;
    expect({ segmentBytes, requireContext }).toEqual({ segmentBytes: 16_384, requireContext: [] });
    const init = readFileSync(join(root, 'src/fs/volume/init.ts'), 'utf8');
    expect(Number(/defaultCacheBytes = ([\d_]+);/.exec(init)?.[1]?.replaceAll('_', ''))).toBe(
      Number(/\| `cacheBytes` \| (\d+) MiB \|/.exec(volumes)?.[1]) * 1_048_576,
    );
    await volume.writeFile('empty', '');
    expect((await volume.stat('empty')).size).toBe(0);
    expect(readFileSync(join(app, 'data', 'empty')).length).toBe(4_096 + 44);
    await volume.writeFile('once', '', { immutable: true });
    expect(readFileSync(join(app, 'data', 'once')).length).toBe(2_048 + 32);
    await volume.close();
  });
});

/** A volume whose folder is there already. */
async function inFolder(volume: volseal.Volume, folder: string): Promise<volseal.Volume> {
  await volume.ensureDir(folder);
  return volume;
}

describe('recipes.md', () => {
  it('the recovery key gets everything out when the secret is lost', () => {
    const key = sh('volseal init data').trim();
    sh('mkdir in; echo one > in/1; mkdir in/inner; echo two > in/inner/2; volseal put -r in data/all');
    const line = /^volseal get --kms recovery: (.*)$/m.exec(recipes)?.[0] as string;
    const own = line.replace('/data', 'data').replace('/elsewhere', 'elsewhere');
    sh(own, { VOLSEAL_SECRET_v1: '', VOLSEAL_RECOVERY_KEY: key });
    expect(sh('diff -r in elsewhere/all')).toBe('');
  });

  it('plaintext moves into a volume, and comes out the same', () => {
    sh('mkdir -p data/uploads/inner; echo one > data/uploads/1; echo two > data/uploads/inner/2');
    const script = block(recipes, 'sh', 'volseal init /data/sealed')
      .replaceAll('/data/', 'data/')
      .replaceAll('/tmp/check', 'check');
    sh(script);
    expect(readFileSync(join(app, 'data/sealed/uploads/inner/2')).includes('two')).toBe(false);
  });

  it('tells a second writer from other failures', async () => {
    const volume = await newVolume();
    const code = block(recipes, 'js', 'error.holderPid} writes the log');
    await runPiece(`let log;\n${code}\nawait log.close();`, { volume });
    await volume.close();
    await expect(runPiece(`let log;\n${code}`, { volume })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_CLOSED',
    });
  });
});

it('reading a file takes at most three system calls more than reading a plain one, a large one four', () => {
  const calls = (what: string): number[] => {
    const row = document('durability.md')
      .split('\n')
      .find((line) => line.startsWith(`| \`readFile\` of ${what} |`));
    return (row ?? '').split('|').slice(2, 4).map(Number);
  };
  for (const [what, more] of [
    ['1 KiB', 3],
    ['1 MiB', 4],
  ] as const) {
    const [plain = 0, inVolume = 0] = calls(what);
    expect(plain).toBeGreaterThan(3);
    expect(inVolume).toBeGreaterThan(3);
    expect(inVolume - plain).toBeLessThanOrEqual(more);
  }
});

it.each(['volumes.md', 'recipes.md', 'durability.md', '../README.md'])(
  'the commands in %s are those of cli.md',
  (name) => {
    const lines = document(name)
      .split('\n')
      .filter((line) => /\bvolseal [a-z]+\b.*--/.test(line) && !line.includes('npx'));
    const used = lines.flatMap((line) =>
      [...line.replace(/^.*\bvolseal /, '').matchAll(/ (--[a-z][a-z-]+)/g)].map(
        (match) => match[1] as string,
      ),
    );
    const known = new Set([...cli.matchAll(/--[a-z][a-z-]+/g)].map((match) => match[0]));
    expect(used.filter((option) => !known.has(option))).toEqual([]);
    if (name !== 'durability.md') expect(used.length).toBeGreaterThan(1);
  },
);
