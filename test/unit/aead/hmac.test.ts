import * as crypto from 'node:crypto';

import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { hmacByHash, hmacByNode, hmacOnce } from '../../../src/aead/hmac.ts';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { Secret } from '../../../src/secret.ts';

describe.each(['sha256', 'sha384'] as const)('HMAC-%s', (algorithm) => {
  test('is the same whoever computes it', () => {
    const oracle = algorithm === 'sha256' ? sha256 : sha384;
    const key = fc.uint8Array({ minLength: 1, maxLength: 64 });
    const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
    fc.assert(
      fc.property(key, parts, (bytes, pieces) => {
        const expected = hex(hmac(oracle, bytes, concatBytes(...pieces)));
        const before = hex(bytes);
        expect(hex(hmacOnce(algorithm, new Secret(bytes.slice()), pieces))).toBe(expected);
        expect(hex(hmacByNode(algorithm, new Secret(bytes.slice()), pieces))).toBe(expected);
        if (typeof crypto.hash === 'function')
          expect(hex(hmacByHash(algorithm, bytes, pieces))).toBe(expected);
        expect(hex(bytes)).toBe(before);
      }),
    );
  });
});
