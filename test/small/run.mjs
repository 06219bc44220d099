/**
 * `npm run test:small`: a volume in the smallest Machine, 256 MB of memory that the kernel enforces, page cache counted.
 * Under the limit are the server of examples/volume-uploads.mjs with parallel uploads and range reads, each larger than
 * the memory altogether, and then a process that writes at random places of a file of 512 MiB. Every byte is compared.
 *
 * `--quick` does the same with an eighth of the data.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

import { memoryLimit } from '../../bench/lib/memory-limit.mjs';
import { Content } from './content.mjs';

const mib = 1024 * 1024;
const limitBytes = 256_000_000;
const scale = process.argv.includes('--quick') ? 1 / 8 : 1;
const uploads = 4;
const uploadBytes = 160 * scale * mib + 12_345;
const rangeReads = 400 * scale;
const inFlight = 8;

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'volseal-small-'));
const secret = execFileSync(process.execPath, [path('../../dist/cli/bin.js'), 'keygen'], {
  stdio: ['ignore', 'pipe', 'ignore'],
})
  .toString()
  .trim();
const running = new Set();

const limit = memoryLimit(limitBytes);
if (limit.unavailable !== undefined) {
  console.log(
    `no limit can be set here (${limit.unavailable}); the peak memory of each process is compared with it`,
  );
}

/** A Node process under the limit. */
function startSmall(script, env) {
  const own = [process.execPath, [path(script)]];
  const [program, args] = limit.wrap === undefined ? own : limit.wrap(...own);
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, VOLSEAL_SECRET_v1: secret, DATA_DIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Highest resident memory so far, by the kernel's own mark. */
function peakBytes({ pid }) {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function report(what, peak) {
  const shown =
    peak === 0 ? 'peak memory unknown' : `peak memory of the process ${Math.round(peak / mib)} MiB`;
  console.log(`${what}: ok, ${shown}`);
  assert.ok(peak < limitBytes, `${what}: more memory than a small Machine has`);
}

const agent = new Agent({ keepAlive: true, maxSockets: inFlight });

async function ask(port, method, target, headers, body) {
  const outgoing = request({
    port,
    method,
    path: target,
    agent,
    headers: { authorization: 'Bearer t', ...headers },
  });
  const answered = once(outgoing, 'response');
  if (body === undefined) outgoing.end();
  else await pipeline(body, outgoing);
  const [incoming] = await answered;
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks) };
}

async function uploadsAndRanges() {
  const server = startSmall('../../examples/volume-uploads.mjs', {
    PORT: '0',
    TENANTS: '{"t":"tenant"}',
    MAX_UPLOAD_BYTES: String(2 * uploadBytes),
  });
  const [line] = await once(createInterface({ input: server.stdout }), 'line');
  const port = Number(/:(\d+)$/.exec(line)[1]);

  const files = await Promise.all(
    Array.from({ length: uploads }, async (_, seed) => {
      const content = new Content(seed);
      const created = await ask(port, 'POST', '/files', {});
      assert.equal(created.status, 201);
      const target = created.headers.location;
      const pieces = Readable.from(content.pieces(0, uploadBytes), { objectMode: false });
      const sent = await ask(port, 'PATCH', target, { 'upload-offset': '0' }, pieces);
      assert.equal(sent.status, 204, sent.body.toString());
      assert.equal(sent.headers['upload-offset'], String(uploadBytes));
      return { content, target };
    }),
  );
  report(`${uploads} uploads of ${Math.round(uploadBytes / mib)} MiB at once`, peakBytes(server));

  let next = 0;
  const reader = async () => {
    while (next < rangeReads) {
      const turn = next++;
      const { content, target } = files[turn % uploads];
      const bytes = turn % 10 === 0 ? 8 * mib : 100_000;
      const start = (turn * 7_919_777) % (uploadBytes - 1000);
      const end = Math.min(uploadBytes, start + bytes) - 1;
      const part = await ask(port, 'GET', target, { range: `bytes=${start}-${end}` });
      assert.equal(part.status, 206);
      assert.ok(part.body.equals(content.bytes(start, end + 1 - start)), `range ${start}-${end}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, reader));
  const peak = peakBytes(server);
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], 'the server ends in order');
  report(`${rangeReads} range reads, ${inFlight} at once`, peak);
}

async function randomWrites() {
  const child = startSmall('writes.mjs', {
    FILE_BYTES: String(512 * scale * mib),
    WRITES: String(40_000 * scale),
  });
  let peak = 0;
  const lines = [];
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    const bytes = /^peak (\d+)$/.exec(line)?.[1];
    if (bytes !== undefined) peak = Number(bytes);
  }
  assert.deepEqual(await ended, [0, null], `random writes: ${lines.join('; ')}`);
  report(lines[0], peak);
}

try {
  await uploadsAndRanges();
  await randomWrites();
  console.log(`test:small: ok (${limit.how ?? 'no limit'})`);
} finally {
  agent.destroy();
  const ended = [...running].map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(ended);
  limit.close?.();
  rmSync(folder, { recursive: true, force: true });
}
