/**
 * One job in a fresh process: check or measure one contender in one case, or measure all of them together. The job comes
 * as JSON in the only argument, the result leaves as JSON on file descriptor 3.
 */

import { writeSync } from 'node:fs';

import { groupById } from './cases/registry.mjs';
import { UnavailableError } from './contenders/keys.mjs';
import { contenders } from './contenders/registry.mjs';
import { Together } from './lib/together.mjs';

const job = JSON.parse(process.argv[2]);

const group = groupById(job.group);
const params = group.cases({ quick: job.quick }).find(({ id }) => id === job.case);

async function perform(contenderId, times) {
  const contender = contenders[contenderId];
  const context = { directory: job.directory, contenderId, times };
  if (job.action === 'check') {
    await group.check?.(params, contender, context);
    return {};
  }
  return await group.measure(params, contender, job.operation, context);
}

/** `{ figures }`, `{ skipped: reason }` or `{ failed: reason }`. */
async function resultOf(contenderId, times) {
  try {
    return { figures: await perform(contenderId, times) };
  } catch (error) {
    times.together?.leave();
    if (error instanceof UnavailableError) return { skipped: error.message };
    console.error(error);
    return { failed: `${error.name}: ${error.message}` };
  }
}

async function results() {
  if (job.contenders === undefined) return resultOf(job.contender, job.times);
  const times = { ...job.times, together: new Together(job.contenders.length) };
  const all = await Promise.all(job.contenders.map(async (id) => [id, await resultOf(id, times)]));
  return { together: Object.fromEntries(all) };
}

writeSync(3, JSON.stringify(await results()));
// A rival that keeps a handle open must not keep the run waiting.
process.exit(0);
