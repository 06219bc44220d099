/** A key provider that is none of volseal's own: AES-256-GCM under a named key, bound to all it is given; and ones that fail. */

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { VolsealError } from '../../../src/errors.ts';
import type { KeyProvider, ProviderInfo, WrapInfo, WrappedKey } from '../../../src/kms/provider.ts';

/** What was asked of it, in order. */
export type Call = 'wrap' | 'unwrap' | 'describe';

export class TestKms implements KeyProvider {
  readonly type: string;
  readonly keyName: string;
  readonly calls: Call[] = [];
  readonly infos: WrapInfo[] = [];
  /** Bytes that every wrap is made longer by. */
  padBytes = 0;
  readonly #key: Uint8Array;

  constructor(keyName: string, type = 'test-kms') {
    this.type = type;
    this.keyName = keyName;
    this.#key = createHash('sha256').update(`${type}:${keyName}`).digest();
  }

  async wrap(key: Uint8Array, info: WrapInfo): Promise<WrappedKey> {
    this.calls.push('wrap');
    this.infos.push(info);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: 16 }).setAAD(
      boundTo(info),
    );
    const sealed = Buffer.concat([
      nonce,
      cipher.update(key),
      cipher.final(),
      cipher.getAuthTag(),
      Buffer.alloc(this.padBytes),
    ]);
    return { type: this.type, keyId: this.keyName, bytes: sealed };
  }

  async unwrap({ bytes }: WrappedKey, info: WrapInfo): Promise<Uint8Array> {
    this.calls.push('unwrap');
    this.infos.push(info);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(boundTo(info)).setAuthTag(bytes.subarray(44, 60));
    try {
      return Uint8Array.from(Buffer.concat([decipher.update(bytes.subarray(12, 44)), decipher.final()]));
    } catch (cause) {
      throw new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'the wrap is not authentic', { cause });
    }
  }

  async describe(): Promise<ProviderInfo> {
    this.calls.push('describe');
    return { type: this.type, primary: this.keyName, keys: [{ keyId: this.keyName, primary: true }] };
  }
}

function boundTo({ scope, id, aad, context }: WrapInfo): Uint8Array {
  const pairs = Object.entries(context).map((pair) => JSON.stringify(pair));
  return Buffer.concat([Buffer.from(scope), id, aad, Buffer.from(pairs.toSorted().join())]);
}

/** A provider of the key `k` that works, with parts of it replaced. */
export function providerWith(parts: Partial<Record<keyof KeyProvider, unknown>>): KeyProvider {
  const kms = new TestKms('k');
  const base: KeyProvider = {
    type: kms.type,
    wrap: (key, info) => kms.wrap(key, info),
    unwrap: (wrapped, info) => kms.unwrap(wrapped, info),
    describe: () => kms.describe(),
  };
  return { ...base, ...(parts as Partial<KeyProvider>) };
}

export function failing(error: unknown): () => Promise<never> {
  return () => Promise.reject(error as Error);
}

export function giving(value: unknown): () => Promise<unknown> {
  return () => Promise.resolve(value);
}

export function unavailable(): VolsealError {
  const details = { hint: 'try again', retryable: true };
  return new VolsealError('ERR_VOLSEAL_PROVIDER_UNAVAILABLE', 'no route to the service', details);
}
