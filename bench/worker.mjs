/**
 * One job in a fresh process: check or measure one contender in one case. The job comes as JSON in the only argument,
 * the result leaves as JSON on file descriptor 3.
 */

import { writeSync } from 'node:fs';

import { groupById } from './cases/registry.mjs';
import { UnavailableError } from './contenders/keys.mjs';
import { contenders } from './contenders/registry.mjs';

const job = JSON.parse(process.argv[2]);

async function perform() {
  const group = groupById(job.group);
  const params = group.cases({ quick: job.quick }).find(({ id }) => id === job.case);
  const contender = contenders[job.contender];
  const context = { directory: job.directory, contenderId: job.contender, times: job.times };
  if (job.action === 'check') {
    await group.check?.(params, contender, context);
    return {};
  }
  return await group.measure(params, contender, job.operation, context);
}

let result;
try {
  result = { figures: await perform() };
} catch (error) {
  result =
    error instanceof UnavailableError
      ? { skipped: error.message }
      : { failed: `${error.name}: ${error.message}` };
  if (result.failed !== undefined) console.error(error);
}
writeSync(3, JSON.stringify(result));
// A rival that keeps a handle open must not keep the run waiting.
process.exit(0);
