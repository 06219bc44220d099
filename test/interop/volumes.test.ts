/** Volumes that the library wrote, read by the independent Python program, also where a writer was interrupted; and both name failures alike. */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import { initVolume, openVolume, type Suite, type Volume } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { generateSecret } from '../../src/kms/secret-value.ts';

const python = '/usr/bin/python3';
const program = fileURLToPath(new URL('volseal.py', import.meta.url));
const available = spawnSync(python, ['-c', 'import cryptography']).status === 0;
if (!available) console.log(`skipped: ${python} with python3-cryptography is not installed`);

const folder = mkdtempSync(join(tmpdir(), 'volseal-interop-volumes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { VOLSEAL_SECRET_interop: generateSecret() };
const keys = flySecrets({ env });
const suites = ['aes-256-gcm', 'xchacha20-poly1305'] as const;

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let root: string;
let count = 0;
beforeEach(() => {
  root = join(folder, `volume-${count++}`);
  mkdirSync(root);
});

function run(args: string[], more: NodeJS.ProcessEnv = env): Buffer {
  return execFileSync(python, [program, ...args], { env: more, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Error code of the program, or `opened`. */
function outcome(args: string[]): string {
  const { status, stderr } = spawnSync(python, [program, ...args], { env, encoding: 'utf8' });
  return status === 0 ? 'opened' : (/ERR_VOLSEAL_[A-Z_]+/.exec(stderr)?.[0] ?? stderr);
}

function bytesOf(length: number, seed = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 255));
}

async function newVolume(
  suite: Suite = 'aes-256-gcm',
  segmentBytes = 4_096,
): Promise<{ volume: Volume; recoveryKey: string }> {
  const { recoveryKey } = await initVolume(root, {
    keys,
    policy: { suite, segmentBytes, writeOnceSegmentBytes: 4_096 },
  });
  return { volume: await openVolume(root, { keys }), recoveryKey: recoveryKey as string };
}

/** The files below a folder, by their paths. */
function contents(of: string): Map<string, Buffer> {
  const names = readdirSync(of, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(of, name)).isFile(),
  );
  return new Map(names.sort().map((name) => [name, readFileSync(join(of, name))]));
}

/** What a crash of the process would leave now. */
function crashImage(): string {
  const image = join(folder, `image-${count++}`);
  cpSync(root, image, { recursive: true, verbatimSymlinks: true });
  return image;
}

describe.runIf(available)('the Python program', () => {
  it.each(suites)('extracts a volume of %s', async (suite) => {
    const { volume } = await newVolume(suite);
    const inner = 4_096 - 44;
    const expected = new Map<string, Buffer>();
    const sizes = [0, 1, inner - 1, inner, inner + 1, 2 * inner, 50_000];
    for (const size of sizes) {
      for (const immutable of [false, true]) {
        const name = `${immutable ? 'once' : 'mutable'}/${size}`;
        await volume.outputFile(name, bytesOf(size), {
          immutable,
          context: { size: String(size), ключ: 'значение' },
        });
        expected.set(name, bytesOf(size));
      }
    }
    await volume.writeFile('edited', bytesOf(30_000));
    const handle = await volume.open('edited', 'r+');
    await handle.write(bytesOf(5_000, 3), 0, 5_000, 10_000);
    await handle.truncate(29_000);
    await handle.close();
    await volume.appendFile('edited', bytesOf(9_000, 5));
    expected.set(
      'edited',
      Buffer.concat([
        bytesOf(10_000),
        bytesOf(5_000, 3),
        bytesOf(30_000).subarray(15_000, 29_000),
        bytesOf(9_000, 5),
      ]),
    );
    await volume.symlink('edited', 'link');
    await volume.close();

    const out = join(folder, `out-${suite}`);
    run(['extract', root, out]);
    const extracted = contents(out);
    expect([...extracted.keys()]).toEqual([...expected.keys(), 'link'].sort());
    for (const [name, bytes] of expected) expect(extracted.get(name)?.equals(bytes), name).toBe(true);
    expect(run(['decrypt', join(root, 'edited'), '-'])).toEqual(expected.get('edited'));
  });

  it('opens a volume with its recovery key, and with an exported keyring', async () => {
    const { volume, recoveryKey } = await newVolume();
    await volume.writeFile('a', 'kept');
    await volume.close();
    const withRecoveryKey = { VOLSEAL_RECOVERY_KEY: recoveryKey.toLowerCase() };
    expect(run(['decrypt', join(root, 'a'), '-'], withRecoveryKey).toString()).toBe('kept');
    const shown = JSON.parse(run(['keyring', root]).toString()) as {
      volumeId: string;
      slots: { type: string }[];
    };
    expect(shown).toMatchObject({
      volumeId: volume.id,
      slots: [{ type: 'fly-secrets' }, { type: 'recovery' }],
    });

    const exported = join(folder, `exported-${count++}`);
    cpSync(join(root, '.volseal/keyring.json'), exported);
    rmSync(join(root, '.volseal/keyring.json'));
    expect(outcome(['decrypt', join(root, 'a'), '-'])).toBe('ERR_VOLSEAL_KEYRING_MISSING');
    expect(run(['decrypt', '--keyring', exported, join(root, 'a'), '-']).toString()).toBe('kept');
    const away = join(folder, `away-${count++}`);
    cpSync(join(root, 'a'), away);
    expect(outcome(['decrypt', away, '-'])).toBe('ERR_VOLSEAL_KEY_MISSING');
    expect(run(['decrypt', '--keyring', exported, away, '-']).toString()).toBe('kept');
  });

  it('refuses a file of another volume under the same secret', async () => {
    const { volume } = await newVolume();
    await volume.writeFile('a', 'a');
    await volume.close();
    const first = root;
    root = join(folder, `volume-${count++}`);
    mkdirSync(root);
    await (await newVolume()).volume.close();
    cpSync(join(first, 'a'), join(root, 'a'));
    const other = await openVolume(root, { keys });
    await expect(other.readFile('a')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_KEY_MISSING' });
    await other.close();
    expect(outcome(['decrypt', join(root, 'a'), '-'])).toBe('ERR_VOLSEAL_KEY_MISSING');
  });

  const step = fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      at: fc.nat(20_000),
      length: fc.integer({ min: 1, max: 9_000 }),
    }),
    fc.record({ kind: fc.constant('truncate' as const), at: fc.nat(25_000), length: fc.constant(0) }),
    fc.record({ kind: fc.constant('sync' as const), at: fc.constant(0), length: fc.constant(0) }),
  );

  it.each(suites)(
    'reads what was synced and is not in place yet (%s)',
    { timeout: 120_000 },
    async (suite) => {
      const { volume } = await newVolume(suite);
      let files = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.nat(20_000),
          fc.array(step, { minLength: 1, maxLength: 12 }),
          async (size, steps) => {
            const name = `f${files++}`;
            let content = bytesOf(size);
            // What a crash may leave: the last synced content, or what was written since.
            let possible = [content];
            await volume.writeFile(name, content);
            const handle = await volume.open(name, 'r+');
            for (const [seed, { kind, at, length }] of steps.entries()) {
              if (kind === 'sync') {
                await handle.sync();
                possible = [content];
                continue;
              }
              const end = kind === 'write' ? Math.max(content.length, at + length) : at;
              const next = Buffer.alloc(end);
              content.copy(next, 0, 0, Math.min(end, content.length));
              if (kind === 'write') {
                const bytes = bytesOf(length, seed + 1);
                next.set(bytes, at);
                await handle.write(bytes, 0, length, at);
              } else {
                await handle.truncate(at);
              }
              content = next;
              possible.push(content);
            }
            const image = crashImage();
            const left = run(['decrypt', join(image, name), '-']);
            expect(possible.some((bytes) => bytes.equals(left))).toBe(true);
            const again = await openVolume(image, { keys, readonly: true });
            expect((await again.readFile(name)).equals(left)).toBe(true);
            await again.close();
            await handle.close();
            expect(run(['decrypt', join(root, name), '-']).equals(content)).toBe(true);
            rmSync(image, { recursive: true });
            await volume.unlink(name);
          },
        ),
        { numRuns: 8 },
      );
      await volume.close();
    },
  );

  /** The same damage in front of both: error codes are equal, and so is what opens. */
  async function compareDamage(
    name: string,
    damaged: (bytes: Buffer, image: string) => string,
  ): Promise<(flips: { at: number; mask: number }[], length: number) => Promise<void>> {
    const image = crashImage();
    return async (flips, length) => {
      const place = damaged(Buffer.alloc(0), image);
      const original = readFileSync(place);
      const bytes = Buffer.concat([original, Buffer.alloc(64)]).subarray(
        0,
        Math.min(length, original.length + 64),
      );
      for (const { at, mask } of flips)
        if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ mask;
      const before = crashCopy(image);
      writeFileSync(join(before, place.slice(image.length)), bytes);
      const ours = await openVolume(before, { keys, readonly: true }).then(
        async (volume) => {
          const read = await volume.readFile(name).then(
            (content) => `opened ${hashOf(content)}`,
            (error: { code: string }) => error.code,
          );
          await volume.close();
          return read;
        },
        (error: { code: string }) => error.code,
      );
      const result = outcome(['decrypt', '--force', join(before, name), join(before, 'out')]);
      const theirs = result === 'opened' ? `opened ${hashOf(readFileSync(join(before, 'out')))}` : result;
      expect(theirs).toBe(ours);
      rmSync(before, { recursive: true });
    };
  }

  function crashCopy(image: string): string {
    const copy = join(folder, `damaged-${count++}`);
    cpSync(image, copy, { recursive: true });
    return copy;
  }

  const flips = fc.array(fc.record({ at: fc.nat(1_000_000), mask: fc.integer({ min: 1, max: 255 }) }), {
    minLength: 1,
    maxLength: 3,
  });
  const lengths = fc.oneof({ weight: 3, arbitrary: fc.constant(1_000_000_000) }, fc.nat(30_000));

  it.each(['file', 'keyring', 'journal'])(
    'gives the same error code for the same damage to the %s',
    { timeout: 120_000 },
    async (what) => {
      const { volume } = await newVolume();
      await volume.writeFile('a', bytesOf(9_000));
      const handle = await volume.open('a', 'r+');
      for (let i = 0; i < 3; i++) {
        await handle.write(bytesOf(100, i), 0, 100, 3_000 * i);
        await handle.sync();
      }
      const compare = await compareDamage('a', (_, image) => {
        if (what === 'file') return join(image, 'a');
        if (what === 'keyring') return join(image, '.volseal/keyring.json');
        const journals = join(image, '.volseal/journal');
        return join(journals, readdirSync(journals)[0] as string);
      });
      await fc.assert(fc.asyncProperty(flips, lengths, compare), { numRuns: 12 });
      await handle.close();
      await volume.close();
    },
  );
});
