/** What a figure depends on. No host name and no path is among it. */

import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';

function output(program, args, options = {}) {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      ...options,
    }).trim();
  } catch {
    return undefined;
  }
}

export function machineFacts() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    os: `${os.type()} ${os.release().split('-')[0]} ${os.arch()}`,
  };
}

export function commitOf(root) {
  const commit = output('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root });
  if (commit === undefined) return 'uncommitted';
  const changed = output('git', ['status', '--porcelain', '--', 'src', 'package-lock.json'], { cwd: root });
  return changed === '' ? commit : `${commit}+changes`;
}

/** Version and OpenSSL of another Node, or undefined when the path does not run. */
export function nodeFacts(path) {
  const text = output(path, [
    '-p',
    'JSON.stringify([process.versions.node, process.versions.openssl, process.execPath])',
  ]);
  if (text === undefined) return undefined;
  const [node, openssl, execPath] = JSON.parse(text);
  return { node, openssl, execPath };
}

export function packageVersion(folder) {
  try {
    return JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')).version;
  } catch {
    return undefined;
  }
}

export function ageProgramVersion() {
  return output('age', ['--version']);
}

const fileSystems = new Map([
  [0x01021994, 'tmpfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlayfs'],
]);

/** Name of the file system a directory is on, and the bytes that may still be put there. */
export function fileSystemOf(directory) {
  const facts = statfsSync(directory);
  const type = fileSystems.get(facts.type) ?? `0x${facts.type.toString(16)}`;
  let freeBytes = facts.bavail * facts.bsize;
  if (type === 'tmpfs') freeBytes = Math.min(freeBytes, availableMemoryBytes());
  return { type, freeBytes };
}

function availableMemoryBytes() {
  try {
    const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    if (line !== null) return Number(line[1]) * 1024;
  } catch {
    // not Linux
  }
  return os.freemem();
}
