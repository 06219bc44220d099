/**
 * Which run of which process holds something: pids recur, and files outlive both the process and the machine's boot.
 *
 * Linux tells everything through /proc: the boot id, and for every thread the clock tick at which it started. Where
 * there is no /proc (macOS, Windows) only the pid is known, so what a dead process left is recognised unless its pid
 * has been given to another one. Processes in different pid namespaces (two containers on one machine) do not see each
 * other: whoever may be alive counts as alive until the machine boots again.
 */

import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';

import { hex } from '../bytes.ts';
import { randomSecret } from '../random.ts';

export interface ProcessIdentity {
  /** 32 hex digits, drawn by the kernel at each boot; empty where it cannot be read. */
  readonly bootId: string;
  readonly pid: number;
  /** The kernel's id of the thread that runs the JavaScript: the pid itself, except in a worker thread. */
  readonly threadId: number;
  /** Clock ticks between boot and the start of that thread, in decimal; empty where it cannot be read. */
  readonly startTime: string;
  /** The kernel's number of the pid namespace that pid and threadId belong to; empty where it cannot be read. */
  readonly pidNamespace: string;
}

/** Files of /proc are short, and made anew by each read. */
const procBytes = 1_024;

function readProc(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    const content = Buffer.alloc(procBytes);
    return content.toString('latin1', 0, readSync(descriptor, content, 0, procBytes, 0));
  } finally {
    closeSync(descriptor);
  }
}

interface ThreadState {
  readonly startTime: string;
  /** Killed, but its parent has not asked for its exit status yet: it holds nothing any more. */
  readonly ended: boolean;
}

/** proc_pid_stat(5): `pid (name) state …`; the name may hold blanks and parentheses. Fields 3 and 22. */
function parseStat(stat: string): ThreadState | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0] ?? '';
  const startTime = fields[22 - 3] ?? '';
  if (!/^[A-Za-z]$/.test(state) || !/^\d+$/.test(startTime)) return undefined;
  return { startTime, ended: state === 'Z' || state === 'X' || state === 'x' };
}

function readIdentity(): ProcessIdentity {
  const { pid } = process;
  try {
    const bootId = readProc('/proc/sys/kernel/random/boot_id').trim().replaceAll('-', '');
    // `<pid>/task/<thread id>`; read synchronously, so by the thread that runs this.
    const threadId = Number(readlinkSync('/proc/thread-self').split('/')[2]);
    const state = parseStat(readProc(`/proc/thread-self/stat`));
    // `pid:[4026531836]`
    const pidNamespace = /^pid:\[(\d{1,20})\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1] ?? '';
    if (/^[0-9a-f]{32}$/.test(bootId) && Number.isSafeInteger(threadId) && state !== undefined) {
      return { bootId, pid, threadId, startTime: state.startTime, pidNamespace };
    }
  } catch (error) {
    // Only where there is no /proc, or no leave to read it: taken for another boot, this process would count as dead.
    if (!['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  }
  return { bootId: '', pid, threadId: pid, startTime: '', pidNamespace: '' };
}

let own: ProcessIdentity | undefined;

/** The process and thread that calls. Read once. */
export function ownIdentity(): ProcessIdentity {
  own ??= readIdentity();
  return own;
}

/**
 * From now on this process counts as one of another boot of the machine: whatever it held before is a dead one's. For
 * simulated crashes, where one process plays all of them.
 */
export function pretendReboot(): void {
  own = { ...ownIdentity(), bootId: hex(randomSecret(16)) };
}

/** Whether the pid is given to a process at all, ours to signal or not. */
function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Whether the process is in this boot of the machine, but where it cannot be seen from here: in another container. */
export function isOutOfSight({ bootId, pidNamespace }: ProcessIdentity): boolean {
  const self = ownIdentity();
  return bootId === self.bootId && pidNamespace !== self.pidNamespace;
}

/**
 * Whether that thread of that process, in this boot of the machine, still runs, as far as can be seen. Synchronous: three
 * system calls.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  const self = ownIdentity();
  const { bootId, pid, threadId, startTime } = identity;
  if (bootId !== self.bootId) return false;
  if (isOutOfSight(identity)) return true;
  if (pid === self.pid && threadId === self.threadId) return startTime === self.startTime;
  // 0 and negative numbers would ask about groups of processes.
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  if (startTime === '') return pidExists(pid);
  let stat: string;
  try {
    stat = readProc(`/proc/${pid}/task/${threadId}/stat`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Whoever cannot look (too many open files) must not take a living holder for a dead one.
    if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'EACCES' && code !== 'EPERM') throw error;
    // Gone, or hidden from other users (hidepid): then its pid is all there is to go by. Threads of our own are seen.
    return pid !== self.pid && pidExists(pid);
  }
  const state = parseStat(stat);
  return state !== undefined && !state.ended && state.startTime === startTime;
}
