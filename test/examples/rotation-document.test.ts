/**
 * docs/rotation.md: its commands run in their order and say what the page shows. `fly` is played by a few lines of shell: it
 * keeps the secrets in files, and `volseal` gets them as a Machine does.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { generateSecret } from '../../src/kms/secret-value.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs', 'rotation.md'), 'utf8');
const app = mkdtempSync(join(tmpdir(), 'volseal-rotation-md-'));
const tools = join(app, 'bin');
const bin = join(root, 'dist', 'cli', 'bin.js');
const secret = generateSecret();
let recoveryKey = '';

const volseal = `#!/bin/sh
for file in "$HOME"/secrets/*; do [ -e "$file" ] && export "$(basename "$file")=$(cat "$file")"; done
exec '${process.execPath}' '${bin}' "$@"
`;
const fly = `#!/bin/sh
case "$1 $2" in
'secrets set') cat > "$HOME/secrets/\${3%=-}"; [ "\${3%=-}" != "$3" ] ;;
'secrets unset') rm "$HOME/secrets/$3" ;;
'secrets list') for file in "$HOME"/secrets/*; do echo "$(basename "$file")  Deployed"; done; exit ;;
*) exit 2 ;;
esac && echo 'Secrets are deployed'
`;

interface Step {
  readonly command: string;
  readonly stdout: string;
  /** Lines of standard error that must be among what is said, or the beginnings of them. */
  readonly stderr: readonly string[];
  readonly code: number;
}

function stepsIn(text: string): Step[] {
  const blocks = [...text.matchAll(/^```console\n(.*?)^```$/gms)].map((match) => match[1] as string);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...lines] = part.trimEnd().split('\n');
        const code = /^\(exit code (\d+)\)$/.exec(lines.at(-1) ?? '')?.[1];
        const said = code === undefined ? lines : lines.slice(0, -1);
        const stderr = said.filter((line) => line.startsWith('volseal: '));
        const stdout = said.filter((line) => !stderr.includes(line)).map((line) => `${line}\n`);
        return { command, stdout: stdout.join(''), stderr, code: Number(code ?? 0) };
      }),
  );
}

/** Without what differs from run to run. */
function general(text: string): string {
  return text
    .replaceAll(app, '')
    .replaceAll(/\b[A-Z2-7]{4}(?:-[A-Z2-7]{4}){7}\b/g, 'KEY-ID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]{12}Z/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d/g, 'DAY')
    .replaceAll(/MIN=[0-9a-f]{8}=/g, 'MIN=ID=')
    .replaceAll(/about \d+:\d\d at [\d,]+ files/g, 'about TIME at RATE files')
    .replaceAll(/ moved, [\d,]+ files\/s/g, ' moved');
}

function run(
  command: string,
  cwd = join(app, 'data'),
): { code: number | null; stdout: string; stderr: string } {
  const own = command.replaceAll(/(?<![\w.])\/(data|restored|tmp)\b/g, `${app}/$1`);
  const { status, stderr, stdout } = spawnSync('bash', ['-o', 'pipefail', '-c', own], {
    cwd,
    env: {
      PATH: `${tools}:${dirname(process.execPath)}:${process.env['PATH']}`,
      HOME: app,
      LC_ALL: 'C.UTF-8',
      VOLSEAL_RECOVERY_KEY: recoveryKey,
    },
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

beforeAll(() => {
  for (const folder of ['bin', 'secrets', 'data', 'tmp']) mkdirSync(join(app, folder));
  writeFileSync(join(tools, 'volseal'), volseal, { mode: 0o755 });
  writeFileSync(join(tools, 'fly'), fly, { mode: 0o755 });
  writeFileSync(join(app, 'secrets', 'VOLSEAL_SECRET_v1'), secret);
  writeFileSync(join(app, 'v1.copy'), secret);
  recoveryKey = run('volseal init /data', app).stdout.trim();
  expect(recoveryKey).toMatch(/^vrk1-/);
  for (const i of [1, 2, 3]) run(`echo content of ${i} | volseal put - file-${i}`);
  cpSync(join(app, 'data'), join(app, 'restored'), { recursive: true });
});
afterAll(() => rmSync(app, { recursive: true }));

it('its commands say what it shows, in their order', { timeout: 240_000 }, () => {
  const steps = stepsIn(page);
  expect(steps.length).toBeGreaterThan(35);
  for (const { code, command, stderr, stdout } of steps) {
    const said = run(command.replace(/(?<=[<>] )(?=v1\.copy|data\.keyring)/, '../'));
    const where = `$ ${command}\n${said.stdout}${said.stderr}`;
    expect(said.code, where).toBe(code);
    expect(general(said.stdout), where).toBe(general(stdout));
    for (const line of stderr) expect(general(said.stderr), where).toContain(general(line));
  }
  for (const folder of ['data', 'restored']) {
    for (const i of [1, 2, 3]) {
      const { stdout } = run(`volseal cat file-${i}`, join(app, folder));
      expect(stdout).toBe(`content of ${i}\n`);
    }
  }
});

it('its program runs', { timeout: 60_000 }, () => {
  const code = /```js\n(\/\/ rotate\.mjs\n.*?)```/s.exec(page)?.[1] as string;
  const folder = join(app, 'program');
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'volseal'));
  const data = join(app, 'of-the-program');
  mkdirSync(data);
  const made = run('volseal init of-the-program --quiet && echo x | volseal put - of-the-program/a', app);
  expect(made.code, made.stderr).toBe(0);
  writeFileSync(join(folder, 'rotate.mjs'), code.replaceAll("'/data'", JSON.stringify(data)));
  const said = run(
    `for file in "$HOME"/secrets/*; do export "$(basename "$file")=$(cat "$file")"; done; node rotate.mjs`,
    folder,
  );
  expect(said.stderr).toBe('');
  expect(said.stdout).toMatch(/^1 headers moved to vk:2$/m);
  expect(run('volseal status', data).stdout).toContain('vk:1, destroyed');
});

it('the steps, the commands and the options that it names are those of cli.md', () => {
  const cli = readFileSync(join(root, 'docs', 'cli.md'), 'utf8');
  const known = new Set([...cli.matchAll(/--[a-z][a-z-]+/g)].map((match) => match[0]));
  const lines = page
    .split('\n')
    .filter((line) => /\bvolseal [a-z]+\b.*--/.test(line) && !line.includes('fly ssh'));
  const used = lines.flatMap((line) =>
    [...line.replace(/^.*?\bvolseal /, '').matchAll(/ (--[a-z][a-z-]+)/g)].map((match) => match[1] as string),
  );
  expect(used.length).toBeGreaterThan(20);
  expect(used.filter((option) => !known.has(option))).toEqual([]);
});
