/** Horizontal bar charts as SVG. Text is text, colours hold for the colour-blind, and light and dark pages both work. */

import { figure } from './names.mjs';

const colours = ['#2f6fab', '#e08a2c'];
/** The same, for what stands beside. */
const paleColours = ['#8fb4d9', '#f1c391'];
const width = 860;
const labelWidth = 330;
const valueWidth = 84;
const barHeight = 15;
const rowGap = 11;
const top = 74;

const escape = (text) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** A step of 1, 2 or 5 times a power of ten that divides `largest` into about four. */
function gridStep(largest) {
  const raw = largest / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
}

/**
 * `rows` are `{ label, values }` with one value (or undefined) for each of `series`, of which there are at most two.
 * With `emphasis`, rows whose label starts so stand out.
 */
export function barChart({ title, subtitle, unit, series, rows, emphasis }) {
  const largest = Math.max(...rows.flatMap(({ values }) => values.filter((value) => value !== undefined)));
  const plotWidth = width - labelWidth - valueWidth;
  const scale = (value) => (value / largest) * plotWidth;
  const rowHeight = series.length * barHeight + rowGap;
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 34;
  const out = [];
  const text = (x, y, content, attributes = '') =>
    out.push(`<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`);

  text(20, 28, title, 'class="title"');
  text(20, 47, subtitle, 'class="small"');
  let legendX = labelWidth;
  series.forEach((name, i) => {
    if (series.length === 1) return;
    out.push(`<rect x="${legendX}" y="56" width="11" height="11" rx="2" fill="${colours[i]}"/>`);
    text(legendX + 16, 66, name, 'class="small"');
    legendX += 34 + name.length * 7;
  });

  const step = gridStep(largest);
  for (let value = 0; value <= largest; value += step) {
    const x = (labelWidth + scale(value)).toFixed(1);
    out.push(`<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom}" class="grid"/>`);
    text(x, bottom + 16, figure(value), 'class="small" text-anchor="middle"');
  }
  text(width - 20, bottom + 16, unit, 'class="small" text-anchor="end"');

  rows.forEach(({ label, values }, index) => {
    const y = top + rowGap / 2 + index * rowHeight;
    const own = emphasis !== undefined && label.startsWith(emphasis);
    text(
      labelWidth - 10,
      y + (series.length * barHeight) / 2 + 4.5,
      label,
      `text-anchor="end"${own ? ' class="own"' : ''}`,
    );
    values.forEach((value, i) => {
      const barY = y + i * barHeight;
      if (value === undefined) {
        text(labelWidth + 6, barY + 11.5, 'no figure', 'class="small"');
        return;
      }
      const length = Math.max(1, scale(value)).toFixed(1);
      out.push(
        `<rect x="${labelWidth}" y="${barY + 1}" width="${length}" height="${barHeight - 2}" rx="2" fill="${(emphasis === undefined || own ? colours : paleColours)[i]}"/>`,
      );
      text((labelWidth + Number(length) + 6).toFixed(1), barY + 11.5, figure(value), 'class="small"');
    });
  });

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(`${title}. ${subtitle}`)}">
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 11.5px; fill: #57606a }
.own { font-weight: 600 }
.grid { stroke: #d8dee4; stroke-width: 1 }
</style>
<rect width="${width}" height="${height}" rx="6" fill="#ffffff"/>
${out.join('\n')}
</svg>
`;
}
