/** Puts tables and charts into docs/benchmarks.md and docs/img. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { groups } from '../cases/registry.mjs';
import { bars } from './bars.mjs';
import { charts } from './charts.mjs';
import { figuresOf } from './results.mjs';
import { absences, barTable, groupTables } from './tables.mjs';

function machineLines(records, runs) {
  const used = [...new Set(records.map(({ run }) => run))].map((id) => runs.get(id));
  const lines = [];
  for (const run of used.sort((a, b) => (a.date < b.date ? 1 : -1))) {
    const own = records.filter((record) => record.run === run.id);
    const measured = [...new Set(own.map(({ group }) => group))];
    const nodes = run.nodes.map(({ node, openssl }) => `Node ${node} (OpenSSL ${openssl})`).join(', ');
    const packages = Object.entries(run.packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ');
    lines.push(
      `- ${run.date.slice(0, 10)}, commit ${run.commit}: ${run.machine.cpu}, ${run.machine.cores} cores, ` +
        `${run.machine.memoryGib} GiB, ${run.machine.os}; ${nodes}; ${packages}. ` +
        `Measured in ${Math.max(1, Math.round(run.seconds / 60))} min: ${measured.join(', ')}.`,
    );
  }
  return lines;
}

function groupSection(group, figures, records) {
  const parts = groupTables(group, group.cases({ quick: false }), figures);
  if (parts.length === 0) return [];
  const own = records.filter((record) => record.group === group.id);
  const places = [...new Set(own.map(({ fileSystem }) => fileSystem).filter((name) => name !== undefined))];
  const limits = [...new Set(own.map(({ limit }) => limit).filter((name) => name !== undefined))];
  const where = places.length === 0 ? '' : ` File system: ${places.join(', ')}.`;
  const how = limits.length === 0 ? '' : ` Limit by: ${limits.join(', ')}.`;
  const order = group.better === 'higher' ? 'more is better' : 'less is better';
  return [
    `### ${group.title} (${group.unit})`,
    `${group.note}${where}${how} Medians (minimum–maximum); ${order}.`,
    ...parts,
  ];
}

function between(text, name, content) {
  const start = `<!-- bench: ${name} -->`;
  const end = `<!-- /bench: ${name} -->`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md lacks the markers ${start} and ${end}`);
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`;
}

/** `records` and `runs` as latestResults gives them. */
export function renderDocument(root, { records, runs }) {
  const figures = figuresOf(records);
  const image = new URL('docs/img/', root);
  mkdirSync(image, { recursive: true });
  const drawn = charts(figures);
  for (const [name, , svg] of drawn) writeFileSync(new URL(`bench-${name}.svg`, image), svg);

  const missing = absences(records);
  const sections = groups.flatMap((group) => groupSection(group, figures, records));
  const path = new URL('docs/benchmarks.md', root);
  let text = readFileSync(path, 'utf8');
  text = between(text, 'machine', machineLines(records, runs).join('\n'));
  text = between(text, 'bars', barTable(bars({ quick: false }), figures));
  text = between(
    text,
    'charts',
    drawn.map(([name, what]) => `![${what}](img/bench-${name}.svg)`).join('\n\n'),
  );
  text = between(
    text,
    'tables',
    [...sections, ...(missing.length === 0 ? [] : ['### Not run', missing.join('\n')])].join('\n\n'),
  );
  writeFileSync(path, text);
}
