/**
 * One volume, several processes. Each worker writes a log of its own; one of them holds the lock of `leader.txt` and
 * writes there. When it is killed another one takes over, without waiting for a timeout. The first process reads it all.
 *
 *     VOLSEAL_SECRET_v1=$(npx volseal keygen) DATA_DIR=/tmp/data node examples/volume-cluster.mjs
 */

import cluster from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { openVolume } from 'volseal';
import { flySecrets } from 'volseal/kms';

const root = process.env.DATA_DIR ?? '/data';
const volume = await openVolume(root, { keys: flySecrets(), create: cluster.isPrimary });

let leaving = false;
process.once('disconnect', () => {
  leaving = true;
});

/** Opens for writing as soon as nobody else writes; undefined when there is no more need to. */
async function takeOver(path) {
  while (!leaving) {
    try {
      return await volume.open(path, 'a');
    } catch (error) {
      if (error.code !== 'EBUSY') throw error;
      await sleep(20); // process error.holderPid writes it
    }
  }
  return undefined;
}

async function work() {
  const name = `worker ${cluster.worker.id}`;
  const log = await volume.open(`logs/${cluster.worker.id}.txt`, 'a');
  await log.appendFile(`${name} began\n`);
  await log.sync();
  process.send('began');

  const leader = await takeOver('leader.txt');
  await leader?.appendFile(`${name} leads\n`);
  await leader?.sync();
  if (!leaving) process.send('leads'); // and keeps the lock for as long as it lives
  if (!leaving) await once(process, 'disconnect');
  await volume.close();
}

/** The next worker that says `message`. */
const nextToSay = (message) =>
  new Promise((resolve) => {
    cluster.on('message', function heard(worker, said) {
      if (said !== message) return;
      cluster.off('message', heard);
      resolve(worker);
    });
  });

async function lead() {
  await volume.ensureDir('logs');
  const leads = nextToSay('leads');
  const workers = [cluster.fork(), cluster.fork(), cluster.fork()];
  await Promise.all(workers.map((worker) => once(worker, 'message'))); // all have begun
  const first = await leads;
  console.log(`worker ${first.id} leads`);

  const leadsNext = nextToSay('leads');
  first.process.kill('SIGKILL');
  const second = await leadsNext;
  console.log(`worker ${first.id} was killed, worker ${second.id} leads`);

  const left = workers.filter((worker) => worker !== first);
  const ended = left.map((worker) => once(worker, 'exit'));
  for (const worker of left) worker.disconnect();
  await Promise.all(ended);
  process.stdout.write(await volume.readFile('leader.txt', 'utf8'));
  console.log(`${(await volume.readdir('logs')).length} logs`);
  await volume.close();
}

await (cluster.isPrimary ? lead() : work());
