/** The published FLOE vectors through every API, and back again through a reference decryptor. */

import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex, readU32 } from '../../../src/bytes.ts';
import { FloeDecryptor } from '../../../src/floe/decryptor.ts';
import { FloeEncryptor } from '../../../src/floe/encryptor.ts';
import { bodyShape, floeHeaderBytes, segmentLayout } from '../../../src/floe/layout.ts';
import { floeDecrypt, floeEncrypt, plainBytes, sealedBytes } from '../../../src/floe/whole.ts';
import { BodyOpener, BodySealer } from '../../../src/stream/body-stages.ts';
import { ByteQueue } from '../../../src/stream/byte-queue.ts';
import { referenceDecrypt } from '../../reference/floe.ts';
import { describeVectors } from '../../shared-vectors.ts';

const key = new Uint8Array(32);
const associatedData = Buffer.from('This is AAD', 'ascii');

/** Lengths of the pieces that a stream arrives in, in turn. */
const chunkings: readonly (readonly number[])[] = [
  [1],
  [2],
  [3, 1],
  [7],
  [31, 33],
  [39],
  [40],
  [41],
  [64, 1],
  [1_000],
  [100_000],
];

function* inChunks(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] as number;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function openByStream(decryptor: FloeDecryptor, body: Uint8Array, lengths: readonly number[]): Uint8Array {
  const queue = new ByteQueue();
  const opener = new BodyOpener(decryptor, queue, floeHeaderBytes);
  const plain: Uint8Array[] = [];
  for (const chunk of inChunks(body, lengths)) {
    queue.push(chunk);
    for (let pieces = opener.next(); pieces !== undefined; pieces = opener.next()) plain.push(...pieces);
  }
  plain.push(...opener.last());
  expect(opener.plainBytes).toBe(concatBytes(...plain).length);
  return concatBytes(...plain);
}

function sealByStream(encryptor: FloeEncryptor, plain: Uint8Array, lengths: readonly number[]): Uint8Array {
  const queue = new ByteQueue();
  const sealer = new BodySealer(encryptor, queue);
  const body: Uint8Array[] = [];
  for (const chunk of inChunks(plain, lengths)) {
    queue.push(chunk);
    for (let parts = sealer.next(); parts !== undefined; parts = sealer.next()) body.push(...parts);
  }
  body.push(...sealer.last());
  expect(sealer.plainBytes).toBe(plain.length);
  return concatBytes(encryptor.header, ...body);
}

describeVectors('floe', 'published FLOE vectors', (folder) => {
  const readHex = (name: string): Uint8Array =>
    Uint8Array.from(Buffer.from(readFileSync(`${folder}${name}`, 'utf8').trim(), 'hex'));
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('_ct.txt'))
    .map((name) => name.replace('_ct.txt', ''));

  test('there are eight', () => {
    expect(names.toSorted()).toEqual([
      'cpp_GCM256_IV256_4K',
      'cpp_GCM256_IV256_64',
      'cpp_rotation',
      'java_GCM256_IV256_4K',
      'java_GCM256_IV256_64',
      'java_lastSegAligned',
      'java_lastSegEmpty',
      'java_rotation',
    ]);
  });

  describe.each(names)('%s', (name) => {
    const message = readHex(`${name}_ct.txt`);
    const plain = readHex(`${name}_pt.txt`);
    const options = name.includes('rotation') ? { associatedData, rotationMaskBits: 2 } : { associatedData };
    const segmentBytes = readU32(message, 2);
    const body = message.subarray(floeHeaderBytes);
    const shape = bodyShape(segmentLayout(segmentBytes, 12), body.length);
    const start = (): FloeDecryptor =>
      FloeDecryptor.start(key, message.subarray(0, floeHeaderBytes), options);
    const segmentAt = (position: number): Uint8Array =>
      body.subarray(position * segmentBytes, (position + 1) * segmentBytes);

    test('decrypts whole', () => {
      expect(hex(floeDecrypt(key, message, options))).toBe(hex(plain));
      expect(hex(referenceDecrypt(key, message, associatedData, options.rotationMaskBits))).toBe(hex(plain));
      expect(plainBytes(message.length, { segmentBytes })).toBe(plain.length);
    });

    test('decrypts in any order of segments', () => {
      const { segments } = shape as { segments: number };
      const positions = Array.from({ length: segments }, (_, position) => position);
      fc.assert(
        fc.property(fc.shuffledSubarray(positions, { minLength: segments }), (order) => {
          const decryptor = start();
          const opened: Uint8Array[] = [];
          for (const position of order) {
            opened[position] = decryptor.openSegment(
              segmentAt(position),
              position,
              position === segments - 1,
            );
          }
          expect(hex(concatBytes(...opened))).toBe(hex(plain));
        }),
        { numRuns: 20 },
      );
    });

    test('decrypts as a stream, byte after byte and in odd pieces', () => {
      for (const lengths of chunkings)
        expect(hex(openByStream(start(), body, lengths)), `pieces of ${lengths.join()}`).toBe(hex(plain));
    });

    test('its plaintext sealed again at the same segment size opens with the reference', () => {
      const again = floeEncrypt(key, plain, { associatedData, segmentBytes });
      expect(hex(referenceDecrypt(key, again, associatedData))).toBe(hex(plain));
      // Our writers end with a full segment where this one writer put an empty one behind it.
      expect(again).toHaveLength(message.length - (name === 'java_lastSegEmpty' ? 32 : 0));
      expect(sealedBytes(plain.length, { segmentBytes })).toBe(again.length);
      expect(again.subarray(0, 10)).toEqual(message.subarray(0, 10));
    });

    test('sealed again as a stream, byte after byte and in odd pieces, it opens with the reference', () => {
      for (const lengths of chunkings) {
        const encryptor = FloeEncryptor.start(key, { associatedData, segmentBytes });
        const again = sealByStream(encryptor, plain, lengths);
        expect(hex(referenceDecrypt(key, again, associatedData)), `pieces of ${lengths.join()}`).toBe(
          hex(plain),
        );
      }
    });

    test('any other key or associated data does not open it', () => {
      const wrong = { code: 'ERR_VOLSEAL_WRONG_KEY' };
      const otherKey = Uint8Array.from(key);
      otherKey[31] = 1;
      expect(() => floeDecrypt(otherKey, message, options)).toThrow(expect.objectContaining(wrong));
      for (const other of ['', 'This is AA', 'This is AAD ', 'this is AAD']) {
        const wrongData = { ...options, associatedData: Buffer.from(other) };
        expect(() => floeDecrypt(key, message, wrongData)).toThrow(expect.objectContaining(wrong));
      }
    });
  });

  test.each(['cpp_rotation', 'java_rotation'])(
    '%s: with the real rotation of 2^20 segments the fifth does not open',
    (name) => {
      const message = readHex(`${name}_ct.txt`);
      const decryptor = FloeDecryptor.start(key, message.subarray(0, floeHeaderBytes), { associatedData });
      const segmentAt = (position: number): Uint8Array =>
        message.subarray(floeHeaderBytes + position * 40, floeHeaderBytes + (position + 1) * 40);
      for (const position of [0, 1, 2, 3])
        expect(decryptor.openSegment(segmentAt(position), position, false)).toHaveLength(8);
      expect(() => decryptor.openSegment(segmentAt(4), 4, false)).toThrow(
        expect.objectContaining({ code: 'ERR_VOLSEAL_TAMPERED' }),
      );
    },
  );
});
