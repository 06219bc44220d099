/**
 * The benchmark. For each case: every contender is checked (what it sealed opens to the same bytes), then the rounds
 * go A B C A B C over contenders, each measurement in a process of its own, or in groups whose operations are short all
 * together in one, a few milliseconds each in turn.
 */

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { groups } from './cases/registry.mjs';
import { contenders, rivals } from './contenders/registry.mjs';
import { bars } from './lib/bars.mjs';
import { buildWhenStale, installRivals } from './lib/build.mjs';
import { renderDocument } from './lib/document.mjs';
import { runJob, stopJob } from './lib/jobs.mjs';
import {
  ageProgramVersion,
  commitOf,
  fileSystemOf,
  machineFacts,
  nodeFacts,
  packageVersion,
} from './lib/machine.mjs';
import { memoryLimit } from './lib/memory-limit.mjs';
import { readOptions, UsageError, usage } from './lib/options.mjs';
import { appendRun, caseRecord, figuresOf, latestResults } from './lib/results.mjs';
import { absences, barTable, groupTables } from './lib/tables.mjs';

const root = new URL('../', import.meta.url);
const bench = new URL('./', import.meta.url);
const say = (line) => process.stderr.write(`${line}\n`);

function plan(options) {
  return groups.flatMap((group) =>
    group
      .cases(options)
      .filter(({ id }) => options.only?.test(`${group.id}/${id}`) ?? true)
      .map((params) => ({
        group,
        params: {
          ...params,
          contenders: params.contenders.filter((id) => options.rivals || !rivals.includes(id)),
          rounds: options.rounds ?? params.rounds ?? (options.quick ? 1 : 5),
        },
      })),
  );
}

/** Makes the two places for files, and takes them away at the end. */
function workspaces(options) {
  const disk = mkdtempSync(join(options.disk ?? tmpdir(), 'volseal-bench-'));
  const shared = '/dev/shm';
  const memoryParent =
    options.dir ?? (existsSync(shared) && fileSystemOf(shared).type === 'tmpfs' ? shared : undefined);
  const memory = memoryParent === undefined ? disk : mkdtempSync(join(memoryParent, 'volseal-bench-'));
  return {
    /** Where the files of a case go: on the disk when they must, or when memory is too small for them. */
    choose({ place, needBytes = 0 }) {
      const enough = (directory) => fileSystemOf(directory).freeBytes > needBytes * 1.2;
      if (place !== 'disk' && enough(memory)) return memory;
      return enough(disk) ? disk : undefined;
    },
    clear() {
      for (const directory of new Set([disk, memory])) {
        for (const name of readdirSync(directory)) {
          if (name !== 'age-identity.txt') rmSync(join(directory, name), { recursive: true, force: true });
        }
      }
    },
    remove() {
      for (const directory of new Set([disk, memory])) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The slow ones need no more rounds than it takes to see that they are. */
function roundsOf({ rivalRounds, rounds }, contender) {
  return rivals.includes(contender) ? Math.min(rounds, rivalRounds ?? rounds) : rounds;
}

/** One round of one operation on one Node: each member with its result. */
async function measureAll(group, node, members, job, limit) {
  const ids = members.map(({ contender }) => contender);
  if (group.together && ids.length > 0) {
    const result = await runJob(node.execPath, { ...job, contenders: ids }, limit);
    return members.map((member) => [member, result.together?.[member.contender] ?? result]);
  }
  const measured = [];
  for (const member of members) {
    measured.push([member, await runJob(node.execPath, { ...job, contender: member.contender }, limit)]);
  }
  return measured;
}

/** All measurements of one case. */
async function runCase({ group, params }, { options, nodes, spaces, problems }) {
  const directory = spaces.choose(params);
  if (directory === undefined) {
    problems.push(
      `${group.id}/${params.id}: no place with ${Math.ceil(params.needBytes / 2 ** 30)} GiB free`,
    );
    return [];
  }
  const limit = params.limitBytes === undefined ? undefined : memoryLimit(params.limitBytes);
  if (limit?.unavailable !== undefined) {
    problems.push(`${group.id}/${params.id}: ${limit.unavailable}`);
    return [];
  }
  const times = options.quick ? { warmMs: 40, timeMs: 120 } : { warmMs: 200, timeMs: 500 };
  const members = nodes.flatMap((node) =>
    params.contenders.map((contender) => ({
      node,
      contender,
      results: new Map(params.operations.map((op) => [op, []])),
    })),
  );
  const job = (more) => ({
    group: group.id,
    case: params.id,
    quick: options.quick,
    directory,
    times,
    ...more,
  });
  const note = (member, operation, result) => {
    if (result.failed === undefined) return;
    const where = `${group.id}/${params.id} ${operation} ${member.contender}, Node ${member.node.node}`;
    problems.push(`${where}: ${result.failed}`);
    if (result.detail) say(result.detail);
  };

  try {
    if (group.check !== undefined) {
      for (const member of members) {
        const result = await runJob(
          member.node.execPath,
          job({ action: 'check', contender: member.contender }),
        );
        if (result.figures !== undefined) continue;
        note(member, 'check', result);
        for (const results of member.results.values()) results.push(result);
      }
    }
    const measure = async (node, operation, round, candidates) => {
      const going = candidates.filter(
        ({ contender, results }) =>
          round < roundsOf(params, contender) &&
          results.get(operation).every(({ figures }) => figures !== undefined),
      );
      const measured = await measureAll(group, node, going, job({ action: 'measure', operation }), limit);
      for (const [member, result] of measured) {
        note(member, operation, result);
        member.results.get(operation).push(result);
      }
    };
    for (let round = 0; round < params.rounds; round++) {
      for (const node of nodes) {
        const own = members.filter((member) => member.node === node);
        // What one operation leaves for the next is as large as the files: one contender's at a time.
        for (const side of group.together ? [own] : own.map((member) => [member])) {
          for (const operation of params.operations) await measure(node, operation, round, side);
        }
      }
    }
  } finally {
    limit?.close();
    spaces.clear();
  }
  return members.flatMap(({ node, contender, results }) =>
    params.operations.map((operation) =>
      caseRecord({
        group,
        params,
        contender,
        operation,
        node: node.node,
        fileSystem: params.needBytes === undefined ? undefined : fileSystemOf(directory).type,
        limit: limit?.how,
        results: results.get(operation),
      }),
    ),
  );
}

function packageVersions() {
  const own = { volseal: packageVersion(root) };
  for (const { package: name } of Object.values(contenders)) {
    if (name === undefined) continue;
    const version = packageVersion(new URL(`node_modules/${name}/`, bench));
    if (version !== undefined) own[name] = version;
  }
  const age = ageProgramVersion();
  return age === undefined ? own : { ...own, age };
}

function nodesOf(options) {
  return options.nodes.map((path) => {
    const facts = nodeFacts(path);
    if (facts === undefined) throw new UsageError(`--node ${path}: cannot be run`);
    return facts;
  });
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(usage);
    return;
  }
  if (options.render) {
    renderDocument(root, latestResults());
    say('docs/benchmarks.md and docs/img are drawn from bench/results');
    return;
  }
  const planned = plan(options);
  if (options.list) {
    for (const { group, params } of planned) {
      console.log(
        `${group.id}/${params.id}  ${params.operations.join(', ')}  ${params.contenders.join(' ')}`,
      );
    }
    return;
  }
  if (planned.length === 0)
    throw new UsageError(`--only ${options.only}: no case has such a name (see --list)`);
  const nodes = nodesOf(options);
  if (options.build) buildWhenStale(root);
  if (options.rivals) installRivals(bench, say);

  const started = Date.now();
  const problems = [];
  const records = [];
  const spaces = workspaces(options);
  const finish = () => record({ options, planned, nodes, started, records, problems });
  const stop = (signal) => {
    stopJob();
    spaces.remove();
    // What was measured so far counts.
    if (records.length > 0) finish();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  try {
    for (const [index, one] of planned.entries()) {
      const seconds = Math.round((Date.now() - started) / 1000);
      say(`[${index + 1}/${planned.length}, ${seconds} s] ${one.group.id}/${one.params.id}`);
      records.push(...(await runCase(one, { options, nodes, spaces, problems })));
    }
  } finally {
    spaces.remove();
  }
  finish();
}

function record({ options, planned, nodes, started, records, problems }) {
  const run = {
    id: `${new Date(started).toISOString()}-${process.pid}`,
    date: new Date(started).toISOString(),
    commit: commitOf(root),
    quick: options.quick,
    machine: machineFacts(),
    nodes: nodes.map(({ node, openssl }) => ({ node, openssl })),
    packages: packageVersions(),
    seconds: Math.round((Date.now() - started) / 1000),
  };
  report(planned, records, run, problems);
  if (options.record) {
    // A run without the rivals would take their figures out of the document.
    if (options.quick || !options.rivals) appendRun('quick.jsonl', run, records);
    else {
      appendRun(`${run.date.slice(0, 7)}.jsonl`, run, records);
      renderDocument(root, latestResults());
      say('docs/benchmarks.md and docs/img are drawn anew');
    }
  }
  if (problems.length > 0) process.exitCode = 1;
}

function report(planned, records, run, problems) {
  const figures = figuresOf(records);
  const print = (...lines) => process.stdout.write(`${lines.join('\n')}\n\n`);
  for (const group of groups) {
    const cases = planned.filter((one) => one.group === group).map(({ params }) => params);
    const parts = cases.length === 0 ? [] : groupTables(group, cases, figures);
    if (parts.length > 0) print(`${group.title} (${group.unit}; ${group.better} is better)`, ...parts);
  }
  print(
    `Must reach${run.quick ? ' (small sizes and few rounds: an indication only)' : ''}`,
    barTable(bars(run), figures),
  );
  const missing = absences(records);
  if (missing.length > 0) print('Not run:', ...missing);
  if (problems.length > 0) print('Problems:', ...problems.map((problem) => `- ${problem}`));
  print(
    `${run.machine.cpu}, ${run.machine.cores} cores; Node ${run.nodes.map(({ node }) => node).join(', ')}; ${run.seconds} s`,
  );
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
