/** Which figures are drawn, and into which file of docs/img. */

import { groupById } from '../cases/registry.mjs';
import { contenders } from '../contenders/registry.mjs';
import { sizeTitle } from './names.mjs';
import { barChart } from './svg.mjs';

/** Contenders as rows, operations as colours. */
function byContender(figures, node, { groupId, caseId, title, subtitle }) {
  const group = groupById(groupId);
  const params = group.cases({ quick: false }).find(({ id }) => id === caseId);
  const rows = params.contenders
    .map((id) => ({
      label: contenders[id].title,
      values: params.operations.map((operation) => figures.median(node, groupId, caseId, operation, id)),
    }))
    .filter(({ values }) => values.some((value) => value !== undefined));
  if (rows.length === 0) return undefined;
  const direction = group.better === 'higher' ? -1 : 1;
  rows.sort((a, b) => direction * ((a.values[0] ?? 0) - (b.values[0] ?? 0)));
  const more = group.better === 'higher' ? 'more is better' : 'less is better';
  return barChart({
    title,
    subtitle: `${subtitle}; Node ${node}, median, ${more}`,
    unit: group.unit,
    series: params.operations,
    rows,
    emphasis: 'volseal',
  });
}

/** Segment sizes as rows, volseal and the bare loop as colours. */
function segmentSizes(figures, node) {
  const group = groupById('segments');
  const members = group.cases({ quick: false }).filter(({ contenders: ids }) => ids[0] === 'volseal');
  const rows = members
    .map((member) => ({
      label: `segments of ${sizeTitle(member.title)}`,
      values: ['volseal', 'bare'].map((id) => figures.median(node, 'segments', member.id, 'seal', id)),
    }))
    .filter(({ values }) => values.some((value) => value !== undefined));
  if (rows.length === 0) return undefined;
  return barChart({
    title: 'Sealing segments beside the bare cipher',
    subtitle: `aes-256-gcm in memory; Node ${node}, median, more is better`,
    unit: group.unit,
    series: ['volseal', 'bare createCipheriv loop'],
    rows,
  });
}

/** `[file name, what it shows, SVG]` for all that there are figures for, on the newest Node measured. */
export function charts(figures) {
  const [node] = figures.nodes;
  if (node === undefined) return [];
  const drawn = [
    ['segments', 'Sealing segments of 4 KiB to 1 MiB beside the bare cipher', segmentSizes(figures, node)],
    [
      'stream',
      'Stream to stream beside rivals',
      byContender(figures, node, {
        groupId: 'stream',
        caseId: '128-mib',
        title: 'Stream to stream',
        subtitle: '128 MiB in memory, chunks of 64 KiB',
      }),
    ],
    [
      'file',
      'One GiB from file to file beside rivals',
      byContender(figures, node, {
        groupId: 'file',
        caseId: '1-gib',
        title: 'File to file',
        subtitle: '1 GiB, files in memory',
      }),
    ],
    [
      'cpu',
      'CPU seconds per GiB',
      byContender(figures, node, {
        groupId: 'cpu',
        caseId: '1-gib',
        title: 'CPU time',
        subtitle: '1 GiB from file to file, all threads',
      }),
    ],
    [
      'memory',
      'Peak resident memory',
      byContender(figures, node, {
        groupId: 'memory',
        caseId: '1-gib',
        title: 'Peak memory of the whole process',
        subtitle: '1 GiB from file to file',
      }),
    ],
  ];
  return drawn.filter(([, , svg]) => svg !== undefined);
}
