/** The README word for word, and the links of all documents. */

import { execFileSync } from 'node:child_process';
import {
  existsSync,
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
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createDecryptReadStream,
  createEncryptWriteStream,
  decrypt,
  encrypt,
  encryptFile,
} from '../../src/index.ts';
import { generateSecret } from '../../src/kms/secret-value.ts';
import { testKeys } from '../../src/testing.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** An app that has volseal installed. */
const app = mkdtempSync(join(tmpdir(), 'volseal-readme-'));
const secret = generateSecret();

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    (match) => match[1] as string,
  );
}

function block(language: string, containing: string): string {
  const found = blocks(language).filter((text) => text.includes(containing));
  expect(found.length).toBe(1);
  return found[0] as string;
}

function sh(script: string): string {
  const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`;
  const env = { PATH, HOME: app, npm_config_offline: 'true', VOLSEAL_SECRET_v1: secret };
  return execFileSync('sh', ['-ec', script], {
    cwd: app,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

beforeAll(() => {
  mkdirSync(join(app, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(root, join(app, 'node_modules', 'volseal'));
  symlinkSync(join(root, 'dist', 'cli', 'bin.js'), join(app, 'node_modules', '.bin', 'volseal'));
  writeFileSync(join(app, 'package.json'), '{"type":"module"}');
});

afterAll(() => rmSync(app, { recursive: true }));

describe('README', () => {
  it('its code prints what it says', { timeout: 60_000 }, () => {
    const code = block('js', 'notes.vsl');
    expect(code.split('\n').filter((line) => line !== '' && !line.startsWith('//')).length).toBe(6);
    writeFileSync(join(app, 'notes.mjs'), code);
    expect(sh(block('sh', 'notes.mjs'))).toBe(/^prints `(.*)`/m.exec(readme)?.[1]);
    expect(readFileSync(join(app, 'notes.vsl')).includes('hello')).toBe(false);
  });

  it('its volume is made, changed in place, and sealed', { timeout: 60_000 }, () => {
    const code = block('js', 'volume.mjs');
    expect(code.split('\n').filter((line) => line !== '' && !line.startsWith('//')).length).toBe(6);
    writeFileSync(join(app, 'volume.mjs'), code);
    const [, text, before] = /^prints `([^`]*)` after `([^`]*)`/m.exec(readme) ?? [];
    expect(sh(`${before}; node volume.mjs`).trimEnd()).toBe(text);
    expect(readdirSync(join(app, 'data')).sort()).toEqual(['.volseal', 'notes']);
    expect(readFileSync(join(app, 'data', 'notes', 'today.txt')).includes('sealed')).toBe(false);
    rmSync(join(app, 'data'), { recursive: true });
  });

  it('its command lines for volumes work, in their order', { timeout: 60_000 }, () => {
    writeFileSync(join(app, 'report.pdf'), 'report');
    const lines = block('sh', 'volseal init data')
      .split('\n')
      .filter((line) => line.startsWith('volseal '));
    expect(lines.length).toBe(4);
    const output = sh(
      ['PATH="$PWD/node_modules/.bin:$PATH"', ...lines, 'volseal cat data/2026/report.pdf'].join('\n'),
    );
    expect(output).toMatch(/^vrk1-/);
    expect(output.endsWith('report')).toBe(true);
    expect(readFileSync(join(app, 'keyring.backup'))).toEqual(
      readFileSync(join(app, 'data/.volseal/keyring.json')),
    );
    rmSync(join(app, 'data'), { recursive: true });
  });

  it('its command lines work, in their order', { timeout: 60_000 }, () => {
    writeFileSync(join(app, 'report.pdf'), 'report '.repeat(50_000));
    mkdirSync(join(app, 'data', 'uploads', 'inner'), { recursive: true });
    writeFileSync(join(app, 'data', 'uploads', 'inner', 'a'), 'a');
    const lines = block('sh', 'volseal speed')
      .split('\n')
      .filter((line) => line.startsWith('volseal ') || line.includes('| volseal '));
    expect(lines.length).toBe(8);
    const here = (line: string): string =>
      `export PATH="$PWD/node_modules/.bin:$PATH"; ${line
        .replace('pg_dump shop', 'cat report.pdf')
        .replace('/data/uploads', 'data/uploads')
        .replace('/backup', 'backup')
        .replace('video.mp4.vsl', 'report.pdf.vsl')}`;
    const script = lines
      .filter((line) => !line.includes('speed'))
      .map(here)
      .join('\n');
    const output = sh(script);
    expect(output).toContain(readFileSync(join(app, 'report.pdf'), 'utf8').slice(0, 1_024));
    expect(readFileSync(join(app, 'copy.pdf'))).toEqual(readFileSync(join(app, 'report.pdf')));
    for (const made of ['report.pdf.vsl', 'shop.sql.vsl', join('backup', 'inner', 'a.vsl')]) {
      expect(existsSync(join(app, made))).toBe(true);
    }
  });

  it('names only exports that exist', async () => {
    const exported = new Set(Object.keys(await import('../../src/index.ts')));
    const rows = readme.split('\n').filter((line) => /^\| `\w+/.test(line));
    const named = rows.flatMap((line) =>
      [...(line.split('|')[1] ?? '').matchAll(/`(\w+)(?:\(|`)/g)].map((match) => match[1]),
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((name) => !exported.has(name ?? ''))).toEqual([]);
  });
});

describe('recipes', () => {
  const recipes = readFileSync(join(root, 'docs', 'recipes.md'), 'utf8');
  const [keys, others] = [testKeys('v1'), testKeys('v2')];
  const context = { tenant: 'acme' };

  it('moving a file to another secret replaces it in one step, or not at all', async () => {
    expect(recipes).toContain(
      'await encryptFile(createDecryptReadStream(path, { keys }), path, { keys, context });',
    );
    const path = join(app, 'moved.vsl');
    const plain = Buffer.from('moved '.repeat(100_000));
    writeFileSync(path, await encrypt(plain, { keys, context }));
    await encryptFile(createDecryptReadStream(path, { keys }), path, { keys: others, context });
    const moved = readFileSync(path);
    expect(Buffer.from(await decrypt(moved, { keys: others, context })).equals(plain)).toBe(true);

    const last = moved.length - 1;
    moved[last] = (moved[last] as number) ^ 1;
    writeFileSync(path, moved);
    const again = encryptFile(createDecryptReadStream(path, { keys: others }), path, { keys, context });
    await expect(again).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TAMPERED' });
    expect(readFileSync(path).equals(moved)).toBe(true);
  });

  it('knows temporary files by their names', async () => {
    const pattern = /if \(\/(.*)\/\.test\(name\)\)/.exec(recipes)?.[1] as string;
    const folder = mkdtempSync(join(app, 'temporary-'));
    const stream = createEncryptWriteStream(join(folder, 'a.vsl'), { keys });
    await new Promise((resolve) => stream.write('a', resolve));
    expect(readdirSync(folder)).toEqual([expect.stringMatching(new RegExp(pattern))]);
    await new Promise((resolve) => stream.end(resolve));
    expect(readdirSync(folder)).toEqual(['a.vsl']);
    expect('a.vsl').not.toMatch(new RegExp(pattern));
  });
});

const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...markdownIn('docs')];

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`);
}

/** Anchors as GitHub makes them from headings. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#{1,6} (.*)$/gm)].map((match) => match[1] as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

it.each(documents)('the links of %s lead somewhere', (path) => {
  const text = readFileSync(join(root, path), 'utf8').replace(/^```.*?^```/gms, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  const dead = links.filter((link) => {
    if (link.startsWith('https://')) return false;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? join(root, path) : join(root, dirname(path), file);
    if (!existsSync(target)) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).has(anchor);
  });
  expect(dead).toEqual([]);
});
