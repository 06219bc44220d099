/**
 * The main job from end to end on real files, checked at every step: `npm run demo`.
 *
 * A secret as for `fly secrets set`, an app that stores uploads sealed (examples/express.mjs, as a process of its own),
 * a reader of the volume, a tamperer, a Machine with another secret, and an operator with the command line; then a volume
 * whose files are changed in place, a process that is killed while it writes, and a recovery key when the secret is lost.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { decryptFile, encryptFile, initVolume, inspect, openVolume } from 'volseal';
import { flySecrets, recoveryKey as fromRecoveryKey } from 'volseal/kms';

const volseal = fileURLToPath(new URL('../dist/cli/bin.js', import.meta.url));
const server = fileURLToPath(new URL('express.mjs', import.meta.url));
const logProgram = fileURLToPath(new URL('volume-log.mjs', import.meta.url));
const volume = await mkdtemp(join(tmpdir(), 'volseal-demo-'));
const running = new Set();

const say = (text) => console.log(text.replaceAll(`${volume}/`, ''));
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** What the Machine's environment has: nothing of ours, and the secret. */
const machine = (secret) => ({ PATH: process.env.PATH, VOLSEAL_SECRET_v1: secret });

function cli(secret, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [volseal, ...args], {
    env: machine(secret),
    maxBuffer: 2 ** 28,
  });
  return { status, stdout, stderr: stderr.toString() };
}

async function startApp(secret) {
  const env = {
    ...machine(secret),
    PORT: '0',
    DATA_DIR: volume,
    TENANTS: '{"token-a":"acme","token-g":"globex"}',
  };
  const child = spawn(process.execPath, [server], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  running.add(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const origin = /http:\S+/.exec(line)[0];
  return {
    ask: (path, token, init = {}) =>
      fetch(origin + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } }),
    async stop() {
      const exit = once(child, 'exit');
      child.kill('SIGINT');
      const [code] = await exit;
      assert.equal(code, 0, 'the app ends in order');
      running.delete(child);
    },
  };
}

const failureOf = (promise) =>
  promise.then(
    () => assert.fail('it should have failed'),
    (error) => error,
  );

async function* inPieces(bytes) {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

async function flipByte(path, at) {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] ^= 1;
  await file.write(byte, 0, 1, at);
  await file.close();
}

/** Files that are changed in place, and survive it. */
async function volumeDemo(secret) {
  const root = join(volume, 'data');
  await mkdir(root);
  const keys = flySecrets({ env: machine(secret) });
  const { recoveryKey } = await initVolume(root, { keys });
  let data = await openVolume(root, { keys });
  const table = randomBytes(5_000_000);
  await data.writeFile('table.bin', table);
  const file = await data.open('table.bin', 'r+');
  for (let at = 7; at < table.length; at += 500_000) {
    table.write('changed in place', at);
    await file.write(Buffer.from('changed in place'), 0, 16, at);
  }
  await file.sync();
  assert.equal(hash(await data.readFile('table.bin')), hash(table));
  await file.close();
  await data.close();
  assert.equal((await readFile(join(root, 'table.bin'))).includes('changed in place'), false);
  say(`volume: ${megabytes(table.length)}, changed in ten places and synced; sealed on the disk`);

  const env = { ...machine(secret), DATA_DIR: root };
  const child = spawn(process.execPath, [logProgram], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  running.add(child);
  child.stdin.on('error', () => {}); // it is about to be killed
  child.stdin.write(Array.from({ length: 1_000 }, (_, i) => `record ${i}\n`).join(''));
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(/^ok (\d+)$/.exec(line)[1]);
    if (acknowledged === 20) child.kill('SIGKILL');
  }
  running.delete(child);
  data = await openVolume(root, { keys });
  const records = (await data.readFile('audit.ndjson', 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).text);
  assert.ok(records.length >= acknowledged, 'every acknowledged record is there');
  assert.deepEqual(
    records,
    records.map((_, i) => `record ${i}`),
  );
  await data.close();
  say(`killed while it wrote a log: ${acknowledged} records were acknowledged, ${records.length} are there`);

  data = await openVolume(root, { keys: fromRecoveryKey(recoveryKey), readonly: true });
  assert.equal(hash(await data.readFile('table.bin')), hash(table));
  await data.close();
  say('secret lost: the recovery key opens the volume');
}

async function demo() {
  say(`volume: ${volume}`);

  const secret = execFileSync(process.execPath, [volseal, 'keygen'], { stdio: ['ignore', 'pipe', 'ignore'] })
    .toString()
    .trim();
  const another = execFileSync(process.execPath, [volseal, 'keygen'], { stdio: ['ignore', 'pipe', 'ignore'] })
    .toString()
    .trim();
  assert.match(secret, /^vsk1\.[\w-]{48}$/);
  assert.notEqual(secret, another);
  say('keygen: a secret for `fly secrets set VOLSEAL_SECRET_v1=-`');

  // Text that would be easy to find again, and noise to tell places apart.
  const marker = 'patient record, not for the backup operator';
  const photo = Buffer.concat([Buffer.from(marker), randomBytes(20_000_000), Buffer.from(marker)]);
  let app = await startApp(secret);
  const created = await app.ask('/files', 'token-a', {
    method: 'POST',
    body: inPieces(photo),
    duplex: 'half',
  });
  assert.equal(created.status, 201);
  const { id } = await created.json();
  const [name, ...others] = await readdir(volume);
  const sealed = join(volume, name);
  assert.deepEqual([name, others], [`${id}.vsl`, []]);
  assert.equal((await readFile(sealed)).includes(marker), false, 'no plaintext on the volume');
  say(
    `upload: ${megabytes(photo.length)} streamed in, ${megabytes((await stat(sealed)).size)} on the volume, no plaintext among it`,
  );

  const whole = await app.ask(`/files/${id}`, 'token-a');
  assert.equal(whole.status, 200);
  assert.equal(hash(Buffer.from(await whole.arrayBuffer())), hash(photo));
  const range = await app.ask(`/files/${id}`, 'token-a', { headers: { range: 'bytes=10000000-10000099' } });
  assert.equal(range.status, 206);
  assert.equal(range.headers.get('content-range'), `bytes 10000000-10000099/${photo.length}`);
  assert.deepEqual(Buffer.from(await range.arrayBuffer()), photo.subarray(10_000_000, 10_000_100));
  say('download: all of it is equal; bytes 10000000-10000099 came from one segment');

  assert.equal((await app.ask(`/files/${id}`, 'token-g')).status, 404);
  say('another tenant: 404, the file is bound to its tenant');

  const original = await readFile(sealed);
  await flipByte(sealed, 15_000_000);
  await assert.rejects(async () => (await app.ask(`/files/${id}`, 'token-a')).arrayBuffer());
  const before = await app.ask(`/files/${id}`, 'token-a', { headers: { range: 'bytes=0-42' } });
  assert.equal(await before.text(), marker);
  const tampered = cli(secret, 'decrypt', sealed, '-o', join(volume, 'never'), '--no-progress');
  assert.equal(tampered.status, 4);
  assert.deepEqual(await readdir(volume), [name], 'a failed decryption leaves nothing behind');
  say(`one byte changed: the download breaks off; volseal decrypt: ${tampered.stderr.trim().split('\n')[0]}`);

  await writeFile(sealed, original.subarray(0, 12_000_000));
  assert.equal((await app.ask(`/files/${id}`, 'token-a', { headers: { range: 'bytes=0-42' } })).status, 500);
  await writeFile(sealed, original);
  say('cut short: refused, whatever the range');

  await app.stop();
  app = await startApp(another);
  const refused = await app.ask(`/files/${id}`, 'token-a');
  assert.equal(refused.status, 500);
  assert.deepEqual(await refused.json(), { error: 'ERR_VOLSEAL_KEY_MISSING' });
  await app.stop();
  const error = await failureOf(
    decryptFile(sealed, join(volume, 'never'), { keys: flySecrets({ env: machine(another) }) }),
  );
  assert.equal(error.code, 'ERR_VOLSEAL_KEY_MISSING');
  say(`another secret: ${error.message}`);
  say(`  what to do: ${error.hint}`);

  const keys = flySecrets({ env: machine(secret) });
  const plain = join(volume, 'report.bin');
  await writeFile(plain, photo);
  const done = await encryptFile(plain, `${plain}.vsl`, { keys, context: { purpose: 'demo' } });
  assert.equal(done.plainBytes, photo.length);
  await decryptFile(`${plain}.vsl`, `${plain}.out`, { keys, context: { purpose: 'demo' } });
  assert.equal(hash(await readFile(`${plain}.out`)), hash(photo));
  say(`encryptFile, decryptFile: ${megabytes(done.plainBytes)} there and back`);

  await rm(plain);
  const shell = [
    cli(secret, 'decrypt', `${plain}.vsl`, '-o', plain, '--context', 'purpose=demo', '--no-progress'),
    cli(
      secret,
      'encrypt',
      plain,
      '-o',
      `${plain}.again.vsl`,
      '--suite',
      'xchacha20-poly1305',
      '--no-progress',
    ),
    cli(secret, 'cat', `${plain}.again.vsl`, '--range', '-43'),
    cli(another, 'cat', `${plain}.again.vsl`),
  ];
  assert.deepEqual(
    shell.map(({ status }) => status),
    [0, 0, 0, 3],
    shell.map(({ stderr }) => stderr).join(''),
  );
  assert.equal(hash(await readFile(plain)), hash(photo));
  assert.equal(shell[2].stdout.toString(), marker);
  assert.equal(shell[3].stdout.length, 0);
  const { suite, slots, copies } = await inspect(`${plain}.again.vsl`);
  assert.equal(suite, 'xchacha20-poly1305');
  say(
    `volseal decrypt, encrypt, cat --range: equal; inspect without a key: ${suite}, secret ${slots[0].label}, ${copies.length} header copies`,
  );
  await volumeDemo(secret);
}

try {
  await demo();
} finally {
  for (const child of running) child.kill('SIGKILL');
  await rm(volume, { recursive: true, force: true });
}
say('demo: ok');
