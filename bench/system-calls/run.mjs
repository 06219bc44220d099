/**
 * Traces every operation of operations.mjs with strace, on a plain file and on a file of a volume, and writes the calls
 * into docs/durability.md: `node bench/system-calls/run.mjs`. `--print` writes nothing, `--no-build` takes dist as it is.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildWhenStale } from '../lib/build.mjs';
import { operations } from './operations.mjs';
import { tracedCalls } from './trace.mjs';

const root = new URL('../../', import.meta.url);
const traced = fileURLToPath(new URL('traced.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'volseal-strace-'));

function trace(id, kind) {
  const files = join(folder, `${id}-${kind}`);
  const output = join(folder, `${id}-${kind}.txt`);
  // -y names what descriptors stand for. libuv would otherwise use io_uring for some calls, which strace does not see.
  execFileSync('strace', ['-f', '-y', '-s', '200', '-o', output, process.execPath, traced, id, kind, files], {
    env: { PATH: process.env.PATH, UV_USE_IO_URING: '0' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return tracedCalls(output, files);
}

const isSync = (line) => /^(fsync|fdatasync) /.test(line);

function summary(traces) {
  const rows = traces.map(({ title, plain, volume }) => {
    const syncs = (lines) => lines.filter(isSync).length;
    return `| ${title} | ${plain.length} | ${volume.length} | ${syncs(plain)} | ${syncs(volume)} |`;
  });
  return [
    '| | calls, plain file | calls, volume | syncs, plain file | syncs, volume |',
    '|---|---:|---:|---:|---:|',
    ...rows,
  ].join('\n');
}

function listing({ title, plain, volume }) {
  const list = (lines) =>
    lines.length === 0 ? ['(none)'] : lines.map((line, i) => `${String(i + 1).padStart(2)}  ${line}`);
  return [
    `### ${title}`,
    '```',
    'plain file',
    ...list(plain),
    '',
    'file of a volume',
    ...list(volume),
    '```',
  ].join('\n');
}

try {
  if (!process.argv.includes('--no-build')) buildWhenStale(root);
  const traces = operations.map(({ id, title }) => ({
    title,
    plain: trace(id, 'plain'),
    volume: trace(id, 'volume'),
  }));
  const content = [summary(traces), ...traces.map(listing)].join('\n\n');
  if (process.argv.includes('--print')) console.log(content);
  else {
    const path = new URL('docs/durability.md', root);
    const text = readFileSync(path, 'utf8');
    const [start, end] = ['<!-- system-calls -->', '<!-- /system-calls -->'];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/durability.md lacks the markers ${start} and ${end}`);
    writeFileSync(path, `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
