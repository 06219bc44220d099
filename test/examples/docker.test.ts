/** The Dockerfiles and the entrypoint of examples/docker, as the recipes print them; the entrypoint also runs, as root. */

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const docker = join(root, 'examples', 'docker');
const recipes = readFileSync(join(root, 'docs', 'recipes.md'), 'utf8');
const entrypoint = join(docker, 'entrypoint.sh');

it.each([
  ['entrypoint.sh', 'sh'],
  ['Dockerfile.debian', 'dockerfile'],
  ['Dockerfile.alpine', 'dockerfile'],
])('%s stands in the recipes word for word', (name, language) => {
  expect(recipes).toContain(`\`\`\`${language}\n${readFileSync(join(docker, name), 'utf8')}\`\`\``);
});

const isRoot = process.getuid?.() === 0;
const hasSetpriv = spawnSync('setpriv', ['--version']).status === 0;

describe.runIf(isRoot && hasSetpriv)('the entrypoint', () => {
  let folder: string;
  let mount: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'volseal-entrypoint-'));
    chmodSync(folder, 0o755);
    mount = join(folder, 'data');
    mkdirSync(mount);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function run(...command: string[]): { status: number | null; stdout: string } {
    const { status, stdout } = spawnSync('sh', [entrypoint, ...command], {
      env: { PATH: process.env['PATH'], VOLUME: mount, APP_USER: 'nobody' },
      encoding: 'utf8',
    });
    return { status, stdout };
  }

  it('gives the volume to the user and becomes that user, without a process in between', () => {
    const parent = '$(tr "\\0" " " < /proc/$PPID/cmdline)';
    const { status, stdout } = run('sh', '-c', `id -un; touch "$VOLUME/a" && echo made; echo "${parent}"`);
    const [user, made, parentCommand] = stdout.split('\n');
    expect({ status, user, made }).toEqual({ status: 0, user: 'nobody', made: 'made' });
    expect(parentCommand).not.toContain('entrypoint');
    expect(statSync(mount).uid).toBe(statSync(join(mount, 'a')).uid);
  });

  it('leaves a volume alone that the user has already', () => {
    run('true');
    const { uid } = statSync(mount);
    const gid = 12_345;
    chownSync(mount, uid, gid);
    expect(run('true').status).toBe(0);
    expect(statSync(mount).gid).toBe(gid);
  });

  it('hands on the exit code', () => {
    expect(run('sh', '-c', 'exit 7').status).toBe(7);
  });

  it('runs the command as it is when it is not root', () => {
    const { status, stdout } = spawnSync(
      'setpriv',
      ['--reuid=nobody', '--regid=nogroup', '--clear-groups', 'sh', entrypoint, 'id', '-un'],
      { env: { PATH: process.env['PATH'], VOLUME: mount, APP_USER: 'nobody' }, encoding: 'utf8' },
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'nobody\n' });
  });
});
