/** The two Transforms as one table: what goes in for a plaintext, and whether what came out stands for it. */

import type { Transform } from 'node:stream';
import { expect } from 'vitest';

import {
  createDecryptStream,
  createEncryptStream,
  decrypt,
  encrypt,
  type KeyProvider,
  type SealOptions,
} from '../../../src/index.ts';
import { testKeys } from '../../../src/testing.ts';

export const keys: KeyProvider = testKeys();

export type SealChoices = Pick<SealOptions, 'suite' | 'segmentBytes'>;

export interface TransformCase {
  readonly name: string;
  make(choices?: SealChoices, signal?: AbortSignal): Transform;
  /** What is written to the Transform. */
  inputFor(plain: Uint8Array, choices?: SealChoices): Promise<Uint8Array>;
  /** Fails unless what came out stands for the plaintext. */
  expectOutput(output: Uint8Array, plain: Uint8Array): Promise<void>;
}

const withSignal = (signal: AbortSignal | undefined): { signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

export const encryptCase: TransformCase = {
  name: 'createEncryptStream',
  make: (choices, signal) => createEncryptStream({ keys, ...choices, ...withSignal(signal) }),
  inputFor: async (plain) => plain,
  async expectOutput(output, plain) {
    const opened = await decrypt(output, { keys });
    expect(Buffer.compare(opened, plain), 'what was sealed is not what was written').toBe(0);
  },
};

export const decryptCase: TransformCase = {
  name: 'createDecryptStream',
  make: (_choices, signal) => createDecryptStream({ keys, ...withSignal(signal) }),
  inputFor: (plain, choices) => encrypt(plain, { keys, ...choices }),
  async expectOutput(output, plain) {
    expect(Buffer.compare(output, plain), 'what came out is not what was sealed').toBe(0);
  },
};

export const transformCases: readonly TransformCase[] = [encryptCase, decryptCase];
