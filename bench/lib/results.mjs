/**
 * bench/results/*.jsonl. A run is one line of type `run` (when, what on, which versions) and one line of type `case`
 * for each figure; nothing is ever rewritten, the newest figure of a case counts.
 */

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';

import { median, summary } from './stats.mjs';

const folder = new URL('../results/', import.meta.url);

export function appendRun(file, run, records) {
  mkdirSync(folder, { recursive: true });
  const lines = [
    { type: 'run', ...run },
    ...records.map((record) => ({ type: 'case', run: run.id, ...record })),
  ];
  appendFileSync(new URL(file, folder), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
}

/** What one contender did in one operation of one case on one Node. */
export function caseRecord({ group, params, contender, operation, node, fileSystem, limit, results }) {
  const failed = results.find((result) => result.failed !== undefined || result.skipped !== undefined);
  const record = {
    node,
    group: group.id,
    case: params.id,
    operation,
    contender,
    unit: group.unit,
    ...(fileSystem === undefined ? {} : { fileSystem }),
    ...(limit === undefined ? {} : { limit }),
  };
  if (failed !== undefined) {
    const { skipped, failed: reason } = failed;
    return { ...record, ...(skipped === undefined ? { failed: reason } : { skipped }) };
  }
  const rounded = (value) => Number(value.toPrecision(6));
  const names = Object.keys(results[0]?.figures ?? {});
  const figures = Object.fromEntries(
    names.map((name) => [name, results.map(({ figures }) => rounded(figures[name]))]),
  );
  const { value, ...others } = figures;
  const { median, min, max } = summary(value);
  return {
    ...record,
    median: rounded(median),
    min,
    max,
    rounds: value,
    ...(names.length > 1 ? { others } : {}),
  };
}

/** The newest run of each group on each major version of Node, from the results that are kept. */
export function latestResults() {
  const runs = new Map();
  const latest = new Map();
  if (!existsSync(folder)) return { records: [], runs };
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith('.jsonl') || name === 'quick.jsonl') continue;
    for (const line of readFileSync(new URL(name, folder), 'utf8').split('\n')) {
      if (line === '') continue;
      const { type, ...entry } = JSON.parse(line);
      if (type === 'run') {
        runs.set(entry.id, entry);
        continue;
      }
      // Cases are measured whole: contenders of different runs are never put side by side.
      const key = [entry.group, entry.case, major(entry.node)].join('/');
      const known = latest.get(key);
      const date = runs.get(entry.run).date;
      if (known === undefined || date > known.date || (date === known.date && entry.run !== known.run)) {
        latest.set(key, { date, run: entry.run, records: [entry] });
      } else if (known.run === entry.run) {
        known.records.push(entry);
      }
    }
  }
  return { records: [...latest.values()].flatMap(({ records }) => records), runs };
}

const major = (version) => Number(version.split('.')[0]);

/** Looks figures up. Undefined where something was skipped, failed or not measured. */
export function figuresOf(records) {
  const table = new Map();
  const keyOf = (...parts) => parts.join('|');
  for (const record of records) {
    table.set(
      keyOf(major(record.node), record.group, record.case, record.operation, record.contender),
      record,
    );
  }
  return {
    record: (node, group, caseId, operation, contender) =>
      table.get(keyOf(node, group, caseId, operation, contender)),
    median: (...place) => table.get(keyOf(...place))?.median,
    /**
     * One contender beside another: the median of the ratios of the rounds, in each of which they were measured one right
     * after the other or together.
     */
    ratio(node, group, caseId, operation, contender, other) {
      const [own, theirs] = [contender, other].map((id) =>
        table.get(keyOf(node, group, caseId, operation, id)),
      );
      if (own?.rounds === undefined || theirs?.rounds === undefined) return undefined;
      const paired = own.rounds.slice(0, theirs.rounds.length);
      return median(paired.map((value, round) => value / theirs.rounds[round]));
    },
    nodes: [...new Set(records.map(({ node }) => major(node)))].sort((a, b) => b - a),
  };
}
