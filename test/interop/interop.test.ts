/** The library against the independent Python program: each opens what the other wrote, and both name failures alike. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { decrypt, encrypt, type VolsealError } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { generateSecret } from '../../src/kms/secret-value.ts';

const python = '/usr/bin/python3';
const program = fileURLToPath(new URL('volseal.py', import.meta.url));
const available = spawnSync(python, ['-c', 'import cryptography']).status === 0;
if (!available) console.log(`skipped: ${python} with python3-cryptography is not installed`);

const folder = mkdtempSync(join(tmpdir(), 'volseal-interop-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { VOLSEAL_SECRET_interop: generateSecret() };
const keys = flySecrets({ env });

function run(...args: string[]): string {
  return execFileSync(python, [program, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
}

const suites = [
  { suite: 'aes-256-gcm', overhead: 32 },
  { suite: 'xchacha20-poly1305', overhead: 44 },
] as const;

describe.runIf(available)('the Python program', () => {
  for (const { suite, overhead } of suites) {
    for (const segmentBytes of [4_096, 65_536]) {
      const whole = segmentBytes - overhead;
      for (const length of [0, 1, whole - 1, whole, whole + 1, 2 * whole, 2 * whole + 1]) {
        it(`${suite}, ${segmentBytes}-byte segments, ${length} bytes: both ways`, async () => {
          const plain = bytesOf(length);
          const ours = join(folder, 'ours.vsl');
          const theirs = join(folder, 'theirs.vsl');
          const out = join(folder, 'out');
          const context = { app: 'interop', ключ: 'значение' };
          writeFileSync(ours, await encrypt(plain, { keys, suite, segmentBytes, context }));
          run('decrypt', '--force', ours, out);
          expect(Buffer.compare(readFileSync(out), plain)).toBe(0);

          writeFileSync(out, plain);
          run(
            'encrypt',
            '--force',
            '--suite',
            suite,
            '--segment-bytes',
            String(segmentBytes),
            '--context',
            'app=interop',
            out,
            theirs,
          );
          const opened = await decrypt(readFileSync(theirs), {
            keys,
            context: { app: 'interop' },
            exactContext: true,
          });
          expect(Buffer.compare(opened, plain)).toBe(0);
        });
      }
    }
  }

  it('shows the same key id', async () => {
    const { primary } = await keys.describe();
    expect(run('key-id')).toContain(primary);
  });

  it('gives the same error code for the same damage', async () => {
    const sealed = await encrypt(bytesOf(9_000), { keys, segmentBytes: 4_096 });
    const damaged = join(folder, 'damaged.vsl');
    // Places where something is: both copies and the body.
    const place = fc.oneof(
      fc.nat(520),
      fc.nat(520).map((at) => 2_048 + at),
      fc.nat(sealed.length - 4_097).map((at) => 4_096 + at),
    );
    const flips = fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 });
    const length = fc.oneof(fc.constant(sealed.length), fc.nat(sealed.length + 40));
    await fc.assert(
      fc.asyncProperty(flips, length, async (changes, newLength) => {
        const bytes = Buffer.concat([sealed, Buffer.alloc(40)]).subarray(0, newLength);
        for (const [at, mask] of changes) if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ mask;
        writeFileSync(damaged, bytes);
        const ours = await decrypt(bytes, { keys }).then(
          () => 'opened',
          (error: VolsealError) => error.code,
        );
        const theirs = spawnSync(python, [program, 'decrypt', '--force', damaged, join(folder, 'out')], {
          env,
          encoding: 'utf8',
        });
        expect(theirs.status === 0 ? 'opened' : /ERR_VOLSEAL_[A-Z_]+/.exec(theirs.stderr)?.[0]).toBe(ours);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
