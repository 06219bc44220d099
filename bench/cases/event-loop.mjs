import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

import { gib, mib } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { checkFiles, prepareOperation } from './files.mjs';

export const id = 'event-loop';
export const title = 'Event-loop delay';
export const unit = 'ms, p99';
export const better = 'lower';
export const note =
  '`perf_hooks.monitorEventLoopDelay` sampled every millisecond while one file is worked on in the same process. The figures are what it records, its own interval of 1 ms included: `node` is a process that waits.';

export function cases({ quick }) {
  const bytes = quick ? 128 * mib : gib;
  return [
    {
      id: sizeId(bytes),
      title: sizeTitle(sizeId(bytes)),
      bytes,
      rounds: quick ? undefined : 3,
      operations: ['encrypt', 'decrypt'],
      contenders: quick ? ['volseal', 'node'] : ['volseal', 'volseal-xchacha', 'ideal', 'naive', 'node'],
      place: 'memory',
      needBytes: 3.1 * bytes,
    },
  ];
}

export async function check({ bytes }, contender, context) {
  if (contender.files !== undefined) await checkFiles(bytes, contender, context);
}

export async function measure({ bytes }, contender, operation, context) {
  const idle = { call: () => sleep(500), finish() {} };
  const { call, finish } =
    contender.files === undefined ? idle : await prepareOperation(bytes, contender, operation, context);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await sleep(20); // the first interval is the timer's own start
  histogram.reset();
  await call();
  histogram.disable();
  finish();
  const ms = (nanoseconds) => nanoseconds / 1e6;
  return { value: ms(histogram.percentile(99)), p50: ms(histogram.percentile(50)), max: ms(histogram.max) };
}
