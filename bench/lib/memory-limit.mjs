/** Runs a command under a memory limit that the kernel enforces, page cache included. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = '/sys/fs/cgroup';

/** The group this process is in, as its folder: version 2's single hierarchy, or version 1's for memory. */
function ownGroups() {
  const lines = readFileSync('/proc/self/cgroup', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  const found = [];
  for (const [, controllers, ...rest] of lines) {
    const path = rest.join(':');
    if (controllers === '' && existsSync(join(root, 'cgroup.controllers')))
      found.push({ version: 2, path: join(root, path) });
    if (controllers.split(',').includes('memory'))
      found.push({ version: 1, path: join(root, 'memory', path) });
  }
  return found;
}

function tryWrite(path, value) {
  try {
    writeFileSync(path, value);
    return true;
  } catch {
    return false;
  }
}

/** A new group below ours, or beside it where ours holds processes and so may not have children with a limit. */
function makeGroup({ version, path }, bytes) {
  for (const parent of version === 2 ? [path, join(path, '..')] : [path]) {
    const group = join(parent, `volseal-bench-${process.pid}`);
    try {
      mkdirSync(group);
    } catch {
      continue;
    }
    const limitFile = version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
    if (tryWrite(join(group, limitFile), String(bytes))) {
      if (version === 2) tryWrite(join(group, 'memory.swap.max'), '0');
      else tryWrite(join(group, 'memory.memsw.limit_in_bytes'), String(bytes));
      return group;
    }
    rmdirSync(group);
  }
  return undefined;
}

/**
 * `{ how, wrap(program, args) => [program, args], close() }`, or `{ unavailable: reason }` where this machine has no
 * way. `ulimit` and `prlimit` are none: Linux ignores the limit on resident memory, and a limit on address space
 * would stop Node at its first reservation.
 */
export function memoryLimit(bytes) {
  if (process.platform !== 'linux') return { unavailable: 'only Linux can limit the memory of a process' };
  for (const own of ownGroups()) {
    const group = makeGroup(own, bytes);
    if (group === undefined) continue;
    return {
      how: `control group, version ${own.version}`,
      wrap: (program, args) => [
        '/bin/sh',
        ['-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', group, program, ...args],
      ],
      close: () => rmdirSync(group),
    };
  }
  const scope = ['--scope', '--quiet', '-p', `MemoryMax=${bytes}`, '-p', 'MemorySwapMax=0'];
  for (const user of [[], ['--user']]) {
    try {
      execFileSync('systemd-run', [...user, ...scope, 'true'], { stdio: 'ignore' });
    } catch {
      continue;
    }
    return {
      how: 'systemd-run',
      wrap: (program, args) => ['systemd-run', [...user, ...scope, program, ...args]],
      close() {},
    };
  }
  return { unavailable: 'no control group can be made here, and systemd-run does not work' };
}
