/**
 * Every vector file through every function that opens sealed data. The files never change: a function that comes to
 * another result has changed the format. `UPDATE=1` writes the files of definitions that have none yet.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, it } from 'vitest';

import { inspect, type OpenOptions } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { codeOf } from '../adversarial/expectations.ts';
import { byteAtATime, type Opener, openers } from '../adversarial/openers.ts';
import { bodyVectors } from './invalid-bodies.ts';
import { headerVectors } from './invalid-headers.ts';
import { validVectors } from './valid.ts';
import { encodeVector, sealedOf, sha256, type Vector } from './vector.ts';

const directory = fileURLToPath(new URL('files/', import.meta.url));
const namesOfFiles = (): string[] => readdirSync(directory).map((file) => file.replace(/\.json$/, ''));
const read = (name: string): Vector => JSON.parse(readFileSync(`${directory}${name}.json`, 'utf8')) as Vector;

async function definitions(): ReturnType<typeof validVectors> {
  return [...(await validVectors()), ...(await headerVectors()), ...(await bodyVectors())];
}

it('there is a definition for every file and a file for every definition', async () => {
  const defined = await definitions();
  for (const [name, definition] of defined) {
    const path = `${directory}${name}.json`;
    if (process.env['UPDATE'] === undefined || existsSync(path)) continue;
    writeFileSync(path, `${JSON.stringify(encodeVector(definition), null, 2)}\n`, { flag: 'wx' });
  }
  expect(namesOfFiles().toSorted()).toEqual(defined.map(([name]) => name).toSorted());
});

describe.each(namesOfFiles())('%s', (name) => {
  let vector: Vector;
  let sealed: Uint8Array;
  let options: OpenOptions;

  beforeAll(() => {
    vector = read(name);
    sealed = sealedOf(vector);
    options = { keys: flySecrets({ env: { ...vector.secrets } }), ...vector.options };
  });

  const verdictOf = (error: unknown): string => (error === undefined ? 'success' : codeOf(error));

  it('inspect', async () => {
    expect(sealed).toHaveLength(vector.sealedBytes);
    expect(sha256(sealed)).toBe(vector.sealedSha256);
    expect(await inspect(sealed).then(() => 'success', codeOf)).toBe(vector.expectInspect);
  });

  it.each([...openers, byteAtATime])('$name', async (opener: Opener) => {
    const { error, left, released } = await opener.open(sealed, options);
    const fromTheEnd = opener.order === 'end-first' ? vector.expectFromTheEnd : undefined;
    expect(verdictOf(error)).toBe(fromTheEnd ?? vector.expect);
    if (error !== undefined) expect(left).toEqual([]);
    if (opener.order === 'end-first' && error !== undefined) return;
    const inOrder = released.toSorted((a, b) => a.plainOffset - b.plainOffset).map(({ bytes }) => bytes);
    const plain = Buffer.concat(inOrder);
    expect(vector.releases).toContainEqual({ bytes: plain.length, sha256: sha256(plain) });
    // It gives each segment when it has been read, so it gives all there is to give.
    if (opener.name === 'DecryptionStream')
      expect(plain).toHaveLength(vector.releases.at(-1)?.bytes as number);
  });
});
