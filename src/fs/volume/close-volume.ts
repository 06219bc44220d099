/** The end of a volume: nothing that was promised is lost, and no key stays in memory. */

import { VolsealError } from '../../errors.ts';
import type { Caller } from './content-calls.ts';

/** How long calls that run may go on waiting for data that somebody else gives. */
const patienceMs = 3_000;
/** How much longer whatever is left may take. */
const lastMs = 1_000;

export async function closeVolume(
  { mounted, operations }: Caller,
  closing: AbortController,
  givingUp: AbortController,
): Promise<void> {
  operations.close();
  closing.abort();
  if (!(await within(patienceMs, operations.whenIdle()))) {
    const hint = 'finish calls before the volume is closed';
    givingUp.abort(new VolsealError('ERR_VOLSEAL_CLOSED', 'the volume was closed', { hint }));
    await within(lastMs, operations.whenIdle());
  }
  const { environment, files, paths } = mounted;
  const failures: unknown[] = [];
  for (const step of [
    () => mounted.background.whenIdle(),
    () => files.closeAll(),
    () => mounted.holder.close(),
    () => environment.locks.close(),
    () => paths.close(),
  ]) {
    await step().catch((error: unknown) => failures.push(error));
  }
  environment.cache.wipe();
  environment.keyring.close();
  if (failures.length > 0) throw failures[0];
}

/** Whether it has ended by then. */
async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
