/**
 * Released formats are read for ever: these files were written once and open with every later version, by every
 * function. `UPDATE=1` adds fixtures with new names; what is there is never made again.
 */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { decrypt, inspect, type KeyProvider } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { codeOf } from '../adversarial/expectations.ts';
import { externalKeys } from '../adversarial/external-keys.ts';
import { flip } from '../adversarial/forge.ts';
import { openers } from '../adversarial/openers.ts';
import { directoryOf, type Fixture, type Manifest, readManifest } from './manifest.ts';
import { addFixtures } from './v1-fixtures.ts';

const directory = directoryOf('v1');
if (process.env['UPDATE'] !== undefined) {
  await addFixtures(existsSync(`${directory}manifest.json`) ? readManifest('v1') : {});
}
const manifest: Manifest = readManifest('v1');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

it('every file has an entry and every entry a file', () => {
  const files = readdirSync(directory).filter((file) => file.endsWith('.vsl'));
  expect(files.toSorted()).toEqual(Object.keys(manifest).toSorted());
});

/** Every key alone that opens the file. */
function keysOf(fixture: Fixture): readonly [string, KeyProvider][] {
  const variables = Object.entries(fixture.secrets).map(([name, value]): [string, KeyProvider] => [
    name,
    flySecrets({ env: { [name]: value } }),
  ]);
  const services = (fixture.externalKeys ?? []).map((name): [string, KeyProvider] => [
    name,
    externalKeys(name),
  ]);
  return [...variables, ...services];
}

describe.each(Object.entries(manifest))('%s', (file, fixture) => {
  const sealed = Uint8Array.from(readFileSync(`${directory}${file}`));
  const [[, keys]] = keysOf(fixture) as [[string, KeyProvider]];
  const { context } = fixture;

  it('is as it was written, and described as it was', async () => {
    expect(sha256(sealed)).toBe(fixture.sealedSha256);
    const { suite, segmentBytes, regionBytes, fileId, generation, slots, plainBytes } = fixture;
    expect(await inspect(sealed)).toMatchObject({
      version: 1,
      body: 'write-once',
      suite,
      segmentBytes,
      regionBytes,
      fileId,
      generation,
      context,
      slots,
      plainBytes,
      sealedBytes: sealed.length,
    });
  });

  it.each(openers)('$name', async (opener) => {
    const { error, released } = await opener.open(sealed, { keys, context, exactContext: true });
    expect(error === undefined ? 'opens' : codeOf(error)).toBe('opens');
    const pieces = released.toSorted((a, b) => a.plainOffset - b.plainOffset).map(({ bytes }) => bytes);
    const plain = Buffer.concat(pieces);
    expect(plain).toHaveLength(fixture.plainBytes);
    expect(sha256(plain)).toBe(fixture.plainSha256);
  });

  it('opens with each of its keys, and with no other', async () => {
    for (const [name, key] of keysOf(fixture)) {
      expect(sha256(await decrypt(sealed, { keys: key })), name).toBe(fixture.plainSha256);
    }
    await expect(decrypt(sealed, { keys: externalKeys('nobody') })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_KEY_MISSING',
    });
  });

  it('is refused with one bit changed', async () => {
    await expect(decrypt(flip(sealed, sealed.length - 1, 0x01), { keys })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TAMPERED',
    });
  });
});
