/** Figures as Markdown tables. */

import { contenders } from '../contenders/registry.mjs';
import { judge } from './bars.mjs';
import { figure } from './names.mjs';
import { summary } from './stats.mjs';

function row(cells) {
  return `| ${cells.join(' | ')} |`;
}

function table(head, rows) {
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n');
}

function cell(record) {
  if (record === undefined) return '';
  if (record.failed !== undefined) return 'failed';
  if (record.skipped !== undefined) return 'not run';
  const { median, min, max } = record;
  return min === max ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`;
}

/** All cells of one table share the contenders as rows; a contender without any figure has no row. */
function contenderTable(corner, ids, columns) {
  const rows = ids
    .map((id) => [contenders[id].title, ...columns.map(({ lookUp }) => cell(lookUp(id)))])
    .filter(([, ...cells]) => cells.some((text) => text !== ''));
  return rows.length === 0 ? undefined : table([corner, ...columns.map(({ title }) => title)], rows);
}

/** What was counted beside the figure: the same on every Node, so that the newest speaks for all. */
function besideTable(group, params, ids, figures) {
  const [node] = figures.nodes;
  const columns = params.operations.flatMap((operation) =>
    Object.entries(group.beside).map(([name, title]) => ({
      title: `${params.operations.length > 1 ? `${operation}: ` : ''}${title}`,
      lookUp(id) {
        const counted = summary(
          figures.record(node, group.id, params.id, operation, id)?.others?.[name] ?? [],
        );
        return counted === undefined ? undefined : { ...counted, max: counted.min };
      },
    })),
  );
  return contenderTable('counted', ids, columns);
}

/** The tables of one group: cases of one table side by side, or operations and Nodes where there is one case. */
export function groupTables(group, cases, figures) {
  const out = [];
  for (const [title, members] of byTable(cases)) {
    const ids = [...new Set(members.flatMap((member) => member.contenders))];
    if (title !== '') out.push(`**${title}**`);
    if (members.length === 1) {
      const [only] = members;
      const columns = figures.nodes.flatMap((node) =>
        only.operations.map((operation) => ({
          title: `${only.operations.length > 1 ? `${operation}, ` : ''}Node ${node}`,
          lookUp: (id) => figures.record(node, group.id, only.id, operation, id),
        })),
      );
      out.push(contenderTable(only.title, ids, columns));
      if (group.beside !== undefined) out.push(besideTable(group, only, ids, figures));
      continue;
    }
    for (const operation of members[0].operations) {
      for (const node of figures.nodes) {
        const columns = members.map((member) => ({
          title: member.title,
          lookUp: (id) =>
            member.contenders.includes(id)
              ? figures.record(node, group.id, member.id, operation, id)
              : undefined,
        }));
        const made = contenderTable('', ids, columns);
        if (made !== undefined) out.push(`${operation}, Node ${node}:`, made);
      }
    }
  }
  return out.filter((part) => part !== undefined);
}

// Node 20 has no Map.groupBy.
function byTable(cases) {
  const map = new Map();
  for (const one of cases) map.set(one.table ?? '', [...(map.get(one.table ?? '') ?? []), one]);
  return map;
}

function barCell(bar, figures, node) {
  const judged = judge(bar, figures, node);
  if (judged === undefined) return 'no figure';
  const { value, met } = judged;
  const text = bar.sign === 'yes' ? (met ? 'yes' : 'no') : `${Number(value.toPrecision(3))}${bar.suffix}`;
  return `${text} ${met ? 'met' : bar.stretch ? 'not met' : '**missed**'}`;
}

function targetText(bar) {
  if (bar.sign === 'yes') return 'yes';
  if (typeof bar.target !== 'function') return `${bar.sign} ${bar.target}${bar.suffix}`;
  return `${bar.sign} ${bar.target(22)}${bar.suffix} (Node 20: ${bar.target(20)})`;
}

/** Every bar that has a figure on some Node. */
export function barTable(bars, figures) {
  const rows = bars
    .map((bar) => [
      `${bar.text}${bar.stretch ? ' (stretch)' : ''}`,
      targetText(bar),
      ...figures.nodes.map((node) => barCell(bar, figures, node)),
    ])
    .filter(([, , ...cells]) => cells.some((text) => text !== 'no figure'));
  return table(['', 'must reach', ...figures.nodes.map((node) => `Node ${node}`)], rows);
}

/** What was not run or failed, one line each. */
export function absences(records) {
  const lines = new Map();
  for (const { group, case: caseId, contender, node, skipped, failed } of records) {
    const reason = skipped ?? failed;
    if (reason === undefined) continue;
    const key = `- ${contenders[contender].title}, Node ${node.split('.')[0]}: ${failed === undefined ? 'not run' : 'failed'}: ${reason}`;
    lines.set(key, [...(lines.get(key) ?? []), `${group}/${caseId}`]);
  }
  return [...lines].map(([line, where]) => `${line} (${[...new Set(where)].join(', ')})`);
}
