/** A key service of nobody: wraps under a key that everyone can compute from its name. It fills slots of any length. */

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

import { type KeyProvider, VolsealError } from '../../src/index.ts';

/** @param wrapBytes how long its wraps are, from 60 on */
export function externalKeys(name: string, wrapBytes = 60): KeyProvider {
  const key = createHash('sha256').update(`volseal test key service, never for real data: ${name}`).digest();
  const keyId = `test:${name}`;
  return {
    type: 'test-kms',
    async wrap(dataKey, info) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(info.aad);
      const sealed = Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
      return {
        type: 'test-kms',
        keyId,
        bytes: Buffer.concat([sealed, Buffer.alloc(wrapBytes - sealed.length)]),
      };
    },
    async unwrap({ bytes }, info) {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(info.aad);
      decipher.setAuthTag(bytes.subarray(44, 60));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(12, 44)), decipher.final()]);
      } catch {
        throw new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'the wrap is not authentic');
      }
    },
    async describe() {
      return { type: 'test-kms', primary: keyId, keys: [{ keyId, primary: true }] };
    },
  };
}
