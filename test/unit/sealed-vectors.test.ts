/** The sealed files of test/vectors through every way of reading: the right code, and nothing released that must not be. */

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { VolsealError } from '../../src/errors.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { decrypt } from '../../src/sealed/buffer.ts';
import { decryptFile } from '../../src/sealed/file.ts';
import type { OpenOptions } from '../../src/sealed/options.ts';
import { createDecryptStream, DecryptionStream } from '../../src/sealed/streams.ts';
import { makeSealedVectors, type SealedVector, type SealedVectors } from '../reference/vector-set.ts';

const path = fileURLToPath(new URL('../vectors/sealed-v1.json', import.meta.url));
const text = (document: SealedVectors): string => `${JSON.stringify(document, undefined, 1)}\n`;
// To add a vector: run once with it set. A released vector never changes.
if (process.env['VOLSEAL_WRITE_VECTORS'] === '1') writeFileSync(path, text(makeSealedVectors()));
const document = JSON.parse(readFileSync(path, 'utf8')) as SealedVectors;

const folder = mkdtempSync(join(tmpdir(), 'volseal-vectors-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function fileOf({ parts }: SealedVector): Uint8Array {
  const bytes = parts.map((part) => {
    if ('base64' in part) return Buffer.from(part.base64, 'base64');
    if ('zeros' in part) return Buffer.alloc(part.zeros);
    const source = document.vectors.find(({ name }) => name === part.of) as SealedVector;
    return fileOf(source).subarray(part.from, part.to);
  });
  return Buffer.concat(bytes);
}

const plainOf = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => 7 * i + (i >> 8));

function optionsOf(vector: SealedVector): OpenOptions {
  const env = Object.fromEntries(
    vector.secrets.map((label) => [`VOLSEAL_SECRET_${label}`, document.secrets[label]]),
  );
  const keys: KeyProvider = flySecrets({ env });
  const { context, exactContext } = vector;
  return {
    keys,
    ...(context === undefined ? {} : { context }),
    ...(exactContext === undefined ? {} : { exactContext }),
  };
}

interface Outcome {
  readonly code: string | undefined;
  readonly plain: Uint8Array;
}

/** Collects what comes out of anything that gives chunks, up to its end or its error. */
async function outcomeOf(chunks: AsyncIterable<Uint8Array>): Promise<Outcome> {
  const given: Uint8Array[] = [];
  let code: string | undefined;
  try {
    for await (const chunk of chunks) given.push(chunk);
  } catch (error) {
    if (!(error instanceof VolsealError)) throw error;
    code = error.code;
  }
  return { code, plain: Buffer.concat(given) };
}

async function* buffered(vector: SealedVector): AsyncGenerator<Uint8Array> {
  yield await decrypt(fileOf(vector), optionsOf(vector));
}

function nodeStream(vector: SealedVector, pieceBytes: number): AsyncIterable<Uint8Array> {
  const stream = createDecryptStream(optionsOf(vector));
  const file = fileOf(vector);
  for (let at = 0; at < file.length; at += pieceBytes) stream.write(file.subarray(at, at + pieceBytes));
  stream.end();
  return stream as AsyncIterable<Uint8Array>;
}

function webStream(vector: SealedVector): AsyncIterable<Uint8Array> {
  const source = new Blob([fileOf(vector)]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  return source.pipeThrough(new DecryptionStream(optionsOf(vector))) as unknown as AsyncIterable<Uint8Array>;
}

async function* wholeFile(vector: SealedVector): AsyncGenerator<Uint8Array> {
  const [sealed, plain] = [join(folder, 'sealed'), join(folder, 'plain')];
  writeFileSync(sealed, fileOf(vector));
  rmSync(plain, { force: true });
  try {
    await decryptFile(sealed, plain, optionsOf(vector));
  } finally {
    if (existsSync(plain)) yield readFileSync(plain);
  }
}

test('the file is what the reference makes', () => {
  expect(text(document) === text(makeSealedVectors())).toBe(true);
  expect(document.vectors).toHaveLength(79);
  expect(new Set(document.vectors.map(({ name }) => name)).size).toBe(79);
  expect(document.vectors.filter(({ code }) => code === undefined)).toHaveLength(23);
});

describe.each(document.vectors)('$name', (vector) => {
  const { code, released } = vector;
  const expected = { code, bytes: released.bytes, sha256: released.sha256 };
  const summary = ({ code: found, plain }: Outcome): unknown => ({
    code: found,
    bytes: plain.length,
    sha256: sha256(plain),
  });

  test('whole, and as a file: all or nothing', async () => {
    const allOrNothing =
      code === undefined ? expected : { code, bytes: 0, sha256: sha256(new Uint8Array(0)) };
    expect(summary(await outcomeOf(buffered(vector)))).toEqual(allOrNothing);
    expect(summary(await outcomeOf(wholeFile(vector)))).toEqual(allOrNothing);
  });

  test('as a Web stream: all that is authentic, then the error', async () => {
    expect(summary(await outcomeOf(webStream(vector)))).toEqual(expected);
  });

  test('as a Node stream, in pieces of every kind: nothing but what is authentic, then the error', async () => {
    for (const pieceBytes of [1, 1_000, 4_096, 100_000]) {
      const { code: found, plain } = await outcomeOf(nodeStream(vector, pieceBytes));
      expect([pieceBytes, found]).toEqual([pieceBytes, code]);
      // What a failed Node stream has not been asked for yet is dropped.
      expect(plain.length).toBeLessThanOrEqual(released.bytes);
      if (code === undefined) expect(plain).toHaveLength(released.bytes);
      expect(Buffer.from(plainOf(plain.length)).equals(plain)).toBe(true);
    }
    expect(sha256(plainOf(released.bytes))).toBe(released.sha256);
  });
});
