/**
 * Runs the scripts of this folder: flat text, one step a line, against the built program.
 *
 *     volseal ARGS…            run it; exit code 0 is expected
 *     exit N volseal ARGS…     run it; exit code N is expected
 *     sh 'SHELL COMMAND'       the same for a line of bash with pipefail; `exit N sh …` too
 *     stdin FILE | stdin text "…"                    for the next run
 *     stdout is "…" | empty | has REGEX | lacks REGEX | cmp FILE        what the last run said; stderr likewise
 *     save stdout FILE
 *     env NAME VALUE | unset NAME
 *     write FILE TEXT | random FILE BYTES | mkdir DIR | symlink TARGET LINK | cp FROM TO | rm PATH
 *     flip FILE OFFSET | cut FILE BYTES | chmod MODE PATH            damage and modes
 *     cmp A B | exists PATH… | absent PATH… | mode PATH OCTAL | only DIR NAME…
 *
 * Words are bare, 'literal' or "with JSON escapes". Every script starts in an empty folder with one secret, v1.
 */

import { strict as assert } from 'node:assert';
import { type SpawnOptions, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The program under test: the built one, or another build of it. */
export const bin: string =
  process.env['VOLSEAL_TEST_BIN'] ?? fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
/** Another Node for the program under test: the same scripts run on all that are supported. */
export const node: string = process.env['VOLSEAL_TEST_NODE'] ?? process.execPath;

/** A secret that is the same in every run. */
export function secretFor(label: string): string {
  return createHash('sha256').update(`secret of the tests: ${label}`).digest('hex');
}

interface Outcome {
  code: number | null;
  stdout: Buffer;
  stderr: Buffer;
}

type Stream = 'stdout' | 'stderr';

/** Runs all steps and gives their number. */
export async function runScript(name: string, text: string): Promise<number> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'volseal-cli-'));
  const script = new Script(folder);
  let steps = 0;
  try {
    for (const [index, line] of text.split('\n').entries()) {
      const words = split(line);
      if (words.length === 0) continue;
      steps++;
      try {
        await script.step(words);
      } catch (error) {
        const { code, stderr, stdout } = script.last;
        const said = `exit code ${code}\nstdout: ${shown(stdout)}\nstderr: ${shown(stderr)}`;
        throw new Error(`${name}:${index + 1}: ${line.trim()}\n${(error as Error).message}\n${said}`, {
          cause: error,
        });
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return steps;
}

function shown(output: Buffer): string {
  return output.length > 2_000 ? `${output.length} bytes` : output.toString();
}

function split(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.replace(/^\s*#.*/, '').matchAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\S+/g)) {
    if (word.startsWith("'")) words.push(word.slice(1, -1));
    else words.push(word.startsWith('"') ? (JSON.parse(word) as string) : word);
  }
  return words;
}

class Script {
  last: Outcome = { code: null, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  readonly #folder: string;
  readonly #env: Record<string, string>;
  #stdin: Buffer | undefined;

  constructor(root: string) {
    this.#folder = join(root, 'work');
    const tools = join(root, 'bin');
    fs.mkdirSync(this.#folder);
    fs.mkdirSync(tools);
    fs.writeFileSync(join(tools, 'volseal'), `#!/bin/sh\nexec '${node}' '${bin}' "$@"\n`, { mode: 0o755 });
    this.#env = {
      PATH: `${tools}:${process.env['PATH'] ?? ''}`,
      HOME: root,
      LC_ALL: 'C.UTF-8',
      VOLSEAL_SECRET_v1: secretFor('v1'),
    };
  }

  async step([verb = '', ...words]: readonly string[]): Promise<void> {
    if (verb === 'exit') await this.#run(words[1] ?? '', words.slice(2), Number(words[0]));
    else if (verb === 'volseal' || verb === 'sh') await this.#run(verb, words, 0);
    else if (verb === 'stdout' || verb === 'stderr') this.#check(verb, words);
    else this.#act(verb, words);
  }

  #act(verb: string, words: readonly string[]): void {
    const [first = '', second = ''] = words;
    const actions: Record<string, () => void> = {
      stdin: () => (this.#stdin = first === 'text' ? Buffer.from(second) : this.#read(first)),
      save: () => fs.writeFileSync(this.#at(second), this.last[first as Stream]),
      env: () => (this.#env[first] = second.startsWith('secret:') ? secretFor(second.slice(7)) : second),
      unset: () => delete this.#env[first],
      write: () => fs.writeFileSync(this.#at(first), second),
      random: () => fs.writeFileSync(this.#at(first), randomBytes(Number(second))),
      mkdir: () => fs.mkdirSync(this.#at(first), { recursive: true }),
      symlink: () => fs.symlinkSync(first, this.#at(second)),
      cp: () => fs.cpSync(this.#at(first), this.#at(second)),
      rm: () => fs.rmSync(this.#at(first), { recursive: true }),
      cut: () => fs.truncateSync(this.#at(first), Number(second)),
      chmod: () => fs.chmodSync(this.#at(second), Number.parseInt(first, 8)),
      flip: () => this.#flip(first, Number(second)),
      cmp: () => assert.ok(this.#read(first).equals(this.#read(second)), `${first} and ${second} differ`),
      exists: () => words.forEach((path) => assert.ok(this.#present(path), `${path} is not there`)),
      absent: () => words.forEach((path) => assert.ok(!this.#present(path), `${path} is there`)),
      mode: () => assert.equal((fs.statSync(this.#at(first)).mode & 0o7777).toString(8), second),
      only: () => assert.deepEqual(fs.readdirSync(this.#at(first)).toSorted(), words.slice(1).toSorted()),
    };
    const action = actions[verb];
    if (action === undefined) throw new Error(`there is no step ${verb}`);
    action();
  }

  #at(path: string): string {
    return join(this.#folder, path);
  }

  #read(path: string): Buffer {
    return fs.readFileSync(this.#at(path));
  }

  #present(path: string): boolean {
    return fs.lstatSync(this.#at(path), { throwIfNoEntry: false }) !== undefined;
  }

  #flip(path: string, offset: number): void {
    const bytes = this.#read(path);
    const at = offset < 0 ? bytes.length + offset : offset;
    bytes[at] = (bytes[at] as number) ^ 1;
    fs.writeFileSync(this.#at(path), bytes);
  }

  #check(stream: Stream, [how = '', wanted = '']: readonly string[]): void {
    const said = this.last[stream].toString();
    if (how === 'is') assert.equal(said, wanted);
    else if (how === 'empty') assert.equal(said, '');
    else if (how === 'has') assert.match(said, new RegExp(wanted, 'm'));
    else if (how === 'lacks') assert.doesNotMatch(said, new RegExp(wanted, 'm'));
    else if (how === 'cmp')
      assert.ok(this.last[stream].equals(this.#read(wanted)), `${stream} is not ${wanted}`);
    else throw new Error(`there is no check ${how}`);
  }

  async #run(program: string, words: readonly string[], expectedCode: number): Promise<void> {
    const [command, args] =
      program === 'sh' ? ['bash', ['-o', 'pipefail', '-c', ...words]] : [node, [bin, ...words]];
    if (program !== 'sh' && program !== 'volseal') throw new Error(`there is no program ${program}`);
    this.last = await run(command, args, { cwd: this.#folder, env: this.#env }, this.#stdin);
    this.#stdin = undefined;
    assert.equal(this.last.code, expectedCode, `exit code ${this.last.code}`);
  }
}

function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
  stdin: Buffer | undefined,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...options,
      stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin?.on('error', () => {}); // a program that fails early does not read all of it
    child.stdin?.end(stdin);
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) }),
    );
  });
}
