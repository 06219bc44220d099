/** Clocks of one process. Everything here is taken inside the process that does the work. */

import { readFileSync } from 'node:fs';

export const mib = 1024 * 1024;
export const gib = 1024 * mib;

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Peak resident memory of this process in MiB. Linux keeps it per address space as VmHWM; `ru_maxrss` will not do
 * there, because a child starts with its parent's figure.
 */
export function peakMemoryMib() {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (line !== null) return Number(line[1]) / 1024;
  } catch {
    // no /proc: below
  }
  return process.resourceUsage().maxRSS / 1024;
}

async function callFor(call, milliseconds, before) {
  const end = performance.now() + milliseconds;
  let calls = 0;
  let elapsed = 0;
  let now = 0;
  do {
    if (before !== undefined) await before();
    const start = performance.now();
    const pending = call(calls);
    if (pending instanceof Promise) await pending;
    now = performance.now();
    elapsed += now - start;
    calls += 1;
  } while (now < end);
  return { calls, seconds: elapsed / 1000 };
}

/**
 * Calls `call` for a while to warm up, then for `timeMs` in earnest: calls a second and CPU seconds a call. `before`
 * runs before each call, outside the clock; with `together` others are measured in turn.
 */
export async function repeat(call, { warmMs, timeMs, before, together }) {
  const run = async (milliseconds) => {
    const cpuBefore = cpuSeconds();
    const { calls, seconds } = await callFor(call, milliseconds, before);
    return { calls, seconds, cpuSeconds: cpuSeconds() - cpuBefore };
  };
  let total;
  if (together === undefined) {
    if (warmMs > 0) await run(warmMs);
    total = await run(timeMs);
  } else {
    total = await together.measure(run, { warmMs, timeMs });
  }
  const { calls, seconds } = total;
  return { calls, callsPerSecond: calls / seconds, cpuSecondsPerCall: total.cpuSeconds / calls };
}

/** The same in MiB/s for calls that each work on `bytes` bytes. */
export async function throughput(call, bytes, times) {
  const { callsPerSecond, cpuSecondsPerCall } = await repeat(call, times);
  return {
    value: (callsPerSecond * bytes) / mib,
    cpuSecondsPerGib: (cpuSecondsPerCall / bytes) * gib,
  };
}

/** One call, no warming up: for work that is long, or whose memory is what matters. */
export async function once(call, bytes) {
  const cpuBefore = cpuSeconds();
  const start = performance.now();
  await call();
  const seconds = (performance.now() - start) / 1000;
  return {
    value: bytes / mib / seconds,
    seconds,
    cpuSecondsPerGib: ((cpuSeconds() - cpuBefore) / bytes) * gib,
  };
}
