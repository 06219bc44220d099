import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { describe, expect, it } from 'vitest';

import { isAlive, ownIdentity, pretendReboot, type ProcessIdentity } from '../../src/os/process-identity.ts';
import { isStaleTemporary, isTemporaryName, temporaryName } from '../../src/os/temporary-name.ts';
import { bundledProgram, startProgram } from './child-program.ts';

const program = bundledProgram(new URL('identity-program.ts', import.meta.url));
const onLinux = process.platform === 'linux';

interface Told {
  readonly identity: ProcessIdentity;
  readonly temporary: string;
}

describe('who runs', () => {
  it.runIf(onLinux)('is what the kernel says', () => {
    const { bootId, pid, threadId, startTime } = ownIdentity();
    const kernelsBootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    expect(bootId).toBe(kernelsBootId.trim().replaceAll('-', ''));
    expect(pid).toBe(process.pid);
    const stat = readFileSync(`/proc/${pid}/task/${threadId}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toBe(startTime);
    expect(isAlive(ownIdentity())).toBe(true);
  });

  it.runIf(onLinux)('another boot, another start, another pid: not alive', () => {
    const own = ownIdentity();
    expect(isAlive({ ...own, bootId: '0'.repeat(32) })).toBe(false);
    expect(isAlive({ ...own, startTime: `${Number(own.startTime) + 1}` })).toBe(false);
    expect(isAlive({ ...own, pid: 2 ** 22 + 1, threadId: 2 ** 22 + 1 })).toBe(false);
    for (const pid of [0, -1, 1.5]) expect(isAlive({ ...own, pid })).toBe(false);
    // In a container of this machine that cannot be looked into: it may be.
    expect(isAlive({ ...own, pidNamespace: '1', pid: 2 ** 22 + 1 })).toBe(true);
    expect(isAlive({ ...own, pidNamespace: '1', bootId: '0'.repeat(32) })).toBe(false);
    // The first process of the machine lives, but did not start when we did.
    expect(isAlive({ ...own, pid: 1, threadId: 1 })).toBe(false);
  });

  it('a child: alive until it has ended, its exit status fetched or not', async () => {
    const child = startProgram(program);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { identity, temporary } = JSON.parse(line.toString()) as Told;
    expect(identity.pid).toBe(child.pid);
    expect(isAlive(identity)).toBe(true);
    expect(isTemporaryName(temporary)).toBe(true);
    expect(isStaleTemporary(temporary)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(identity)).toBe(false);
    expect(isStaleTemporary(temporary)).toBe(true);
  });

  it.runIf(onLinux)('a zombie is not alive', async () => {
    // A shell that starts the program and never asks what became of it.
    const shell = spawn(
      'sh',
      ['-c', `"${process.execPath}" "${program}" </dev/null & exec sleep 60 >/dev/null`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      let said = '';
      for await (const chunk of shell.stdout) said += String(chunk);
      const { identity } = JSON.parse(said) as Told;
      const stat = (): string => readFileSync(`/proc/${identity.pid}/stat`, 'utf8');
      while (!stat().includes(') Z ')) await new Promise((resolve) => setTimeout(resolve, 2));
      expect(isAlive(identity)).toBe(false);
    } finally {
      shell.kill('SIGKILL');
    }
  });

  it.runIf(onLinux)('a worker thread: alive until it has ended', async () => {
    const worker = new Worker(program);
    const [told] = (await once(worker, 'message')) as [Told];
    expect(told.identity.pid).toBe(process.pid);
    expect(told.identity.threadId).not.toBe(ownIdentity().threadId);
    expect(isAlive(told.identity)).toBe(true);
    await worker.terminate();
    expect(isAlive(told.identity)).toBe(false);
    expect(isStaleTemporary(told.temporary)).toBe(true);
  });
});

describe('names of temporary files', () => {
  it('never come twice, fit into a name, and are told from all others', () => {
    const names = new Set(Array.from({ length: 1_000 }, temporaryName));
    expect(names.size).toBe(1_000);
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThan(160);
      expect(isTemporaryName(name)).toBe(true);
      expect(isStaleTemporary(name)).toBe(false);
    }
    for (const name of ['.volseal', '.volseal-0123456789abcdef.tmp', 'volseal-tmp-', 'a.volseal-tmp-']) {
      expect(isTemporaryName(name)).toBe(false);
      expect(isStaleTemporary(name)).toBe(false);
    }
  });

  it('of a form that is not ours are nobody’s to remove', () => {
    const foreign = ['.volseal-tmp-', '.volseal-tmp-x', `${temporaryName()}0`, '.volseal-tmp----1--1--0'];
    for (const name of foreign) {
      expect(isTemporaryName(name)).toBe(true);
      expect(isStaleTemporary(name)).toBe(false);
    }
  });
});

// The last test of this file: from here on everything before is of another boot.
it('after a simulated crash of the machine this process is another one', () => {
  const [identity, temporary] = [ownIdentity(), temporaryName()];
  pretendReboot();
  expect(isAlive(identity)).toBe(false);
  expect(isStaleTemporary(temporary)).toBe(true);
  expect(isAlive(ownIdentity())).toBe(true);
  expect(isStaleTemporary(temporaryName())).toBe(false);
});
