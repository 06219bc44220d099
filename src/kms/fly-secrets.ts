/** `flySecrets()`: key-encryption keys from Fly secrets, that is from environment variables or mounted files. */

import { closeSync, openSync, readSync } from 'node:fs';

import { concatBytes } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { maxSecretFileBytes } from '../limits.ts';
import { checkOptions, throwIfAborted } from '../options.ts';
import type { Secret } from '../secret.ts';
import { publishWarning } from '../trace.ts';
import { LocalKey } from './local-key.ts';
import type { KeyProvider, ProviderInfo, WrapInfo, WrappedKey } from './provider.ts';
import { parseSecretFile, parseSecretText } from './secret-value.ts';

export interface FlySecretsOptions {
  /** Where variables are looked up. Default `process.env`. */
  env?: Record<string, string | undefined>;
  /** Variables are named PREFIX + label. Default `VOLSEAL_SECRET_`. */
  prefix?: string;
  /** The label new wraps use. Default `$VOLSEAL_PRIMARY`, else the only secret there is. */
  primary?: string;
  /** Mounted files by label, beside the variables PREFIX + `FILE_` + label that name one each. */
  files?: Record<string, string>;
  /** Deletes the variables that hold secrets from `env` once they are read. */
  removeFromEnv?: boolean;
}

const slotType = 2;
const defaultPrefix = 'VOLSEAL_SECRET_';
/** A variable of a label that begins with FILE_ would name a file. */
const labelPattern = /^(?!FILE_)[A-Za-z0-9_]{1,32}$/;

interface Generation {
  readonly label: string;
  /** How people call it in errors: the variable or the file. */
  readonly source: string;
  readonly key: LocalKey;
}

/**
 * Reads every secret now and gives a provider over them: the primary wraps, all of them unwrap.
 * @throws VolsealError `ERR_VOLSEAL_NO_SECRET`, `ERR_VOLSEAL_SECRET_INVALID`, `ERR_VOLSEAL_UNKNOWN_OPTION`; later, from `wrap`,
 *   `ERR_VOLSEAL_NO_PRIMARY`
 */
export function flySecrets(options: FlySecretsOptions = {}): KeyProvider {
  checkOptions('flySecrets', options, ['env', 'prefix', 'primary', 'files', 'removeFromEnv']);
  const env = options.env ?? process.env;
  const prefix = options.prefix ?? defaultPrefix;
  const generations = readGenerations(env, prefix, options.files ?? {}, options.removeFromEnv ?? false);
  if (generations.length === 0) {
    throw new VolsealError(
      'ERR_VOLSEAL_NO_SECRET',
      `no secret is set: there is no ${prefix}<label> variable`,
      {
        hint: `volseal keygen --label v1 | fly secrets set ${prefix}v1=-   (then deploy; staged secrets do not reach running Machines)`,
      },
    );
  }
  warnAboutEqualSecrets(generations);
  return new FlySecrets(generations, prefix, options.primary ?? (env['VOLSEAL_PRIMARY'] || undefined));
}

function readGenerations(
  env: Record<string, string | undefined>,
  prefix: string,
  files: Record<string, string>,
  removeFromEnv: boolean,
): Generation[] {
  const filePrefix = `${prefix}FILE_`;
  const found: { label: string; source: string; read: () => Secret }[] = [];
  const used: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(prefix) || value === undefined) continue;
    if (name.startsWith(filePrefix)) {
      found.push({
        label: name.slice(filePrefix.length),
        source: name,
        read: () => readSecretFile(name, value),
      });
    } else {
      found.push({
        label: name.slice(prefix.length),
        source: name,
        read: () => parseSecretText(name, value),
      });
      used.push(name);
    }
  }
  for (const [label, path] of Object.entries(files)) {
    found.push({ label, source: path, read: () => readSecretFile(path, path) });
  }
  const generations: Generation[] = [];
  for (const { label, source, read } of found.toSorted((a, b) => (a.label < b.label ? -1 : 1))) {
    if (!labelPattern.test(label)) {
      throw new VolsealError(
        'ERR_VOLSEAL_SECRET_INVALID',
        `${source}: ${JSON.stringify(label)} is not a label`,
        {
          hint: 'labels have 1 to 32 letters, digits and underscores and do not begin with FILE_, for example v1',
        },
      );
    }
    const twin = generations.find((other) => other.label === label);
    if (twin !== undefined) {
      throw new VolsealError(
        'ERR_VOLSEAL_SECRET_INVALID',
        `the label ${label} is given twice: ${twin.source} and ${source}`,
        {
          hint: 'use another label for one of them',
        },
      );
    }
    generations.push({ label, source, key: new LocalKey(slotType, read()) });
  }
  // Only once all of them are understood: a failed start must leave the environment as it was.
  if (removeFromEnv) for (const name of used) delete env[name];
  return generations;
}

function readSecretFile(name: string, path: string): Secret {
  const content = new Uint8Array(maxSecretFileBytes);
  let length = 0;
  try {
    const descriptor = openSync(path, 'r');
    try {
      for (let count = -1; count !== 0 && length < content.length; length += count) {
        count = readSync(descriptor, content, length, content.length - length, null);
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new VolsealError('ERR_VOLSEAL_SECRET_INVALID', `${name}: the secret file ${path} cannot be read`, {
      hint: 'check the path and its permissions; [[files]] in fly.toml mounts it at boot',
      path,
      cause,
    });
  }
  const secret = parseSecretFile(name, content.subarray(0, length));
  content.fill(0);
  return secret;
}

function warnAboutEqualSecrets(generations: readonly Generation[]): void {
  generations.forEach((generation, i) => {
    const twin = generations.slice(0, i).find((other) => other.key.keyId === generation.key.keyId);
    if (twin === undefined) return;
    publishWarning({
      code: 'equal-secrets',
      message: `${twin.source} and ${generation.source} hold the same secret (key id ${generation.key.keyId})`,
    });
  });
}

class FlySecrets implements KeyProvider {
  readonly type = 'fly-secrets';
  readonly #generations: readonly Generation[];
  readonly #prefix: string;
  readonly #primaryLabel: string | undefined;
  #closed = false;

  constructor(generations: readonly Generation[], prefix: string, primaryLabel: string | undefined) {
    this.#generations = generations;
    this.#prefix = prefix;
    this.#primaryLabel = primaryLabel;
  }

  async wrap(key: Uint8Array, info: WrapInfo): Promise<WrappedKey> {
    this.#checkOpen(info);
    const generation = info.keyId === undefined ? this.#primary() : this.#withKeyId(info.keyId);
    return {
      type: this.type,
      keyId: generation.key.keyId,
      bytes: concatBytes(generation.key.wrap(key, info), Buffer.from(generation.label, 'latin1')),
    };
  }

  async unwrap(wrapped: WrappedKey, info: WrapInfo): Promise<Uint8Array> {
    this.#checkOpen(info);
    const generation = this.#withKeyId(wrapped.keyId);
    const key = generation.key.unwrap(wrapped.bytes, info);
    if (key !== undefined) return key;
    throw new VolsealError(
      'ERR_VOLSEAL_WRONG_KEY',
      `the key slot of ${generation.source} (key id ${generation.key.keyId}) does not open: it was changed or comes from another file`,
      { hint: 'restore the file from a backup' },
    );
  }

  async describe(): Promise<ProviderInfo> {
    const primary = this.#findPrimary();
    return {
      type: this.type,
      primary: primary?.key.keyId ?? '',
      keys: this.#generations.map(({ key, label }) => ({
        keyId: key.keyId,
        label,
        primary: label === primary?.label,
      })),
    };
  }

  #checkOpen({ signal }: WrapInfo): void {
    throwIfAborted(signal);
    if (this.#closed) {
      throw new VolsealError('ERR_VOLSEAL_CLOSED', 'the keys were closed', {
        hint: 'call flySecrets() again, or close later',
      });
    }
  }

  close(): void {
    this.#closed = true;
    for (const { key } of this.#generations) key.wipe();
  }

  #withKeyId(keyId: string): Generation {
    const generation = this.#generations.find(({ key }) => key.keyId === keyId);
    if (generation !== undefined) return generation;
    throw new VolsealError('ERR_VOLSEAL_KEY_MISSING', `no secret here has the key id ${keyId}`, {
      hint: 'set the secret that it was wrapped under, or give the provider that has it',
    });
  }

  #findPrimary(): Generation | undefined {
    if (this.#primaryLabel !== undefined)
      return this.#generations.find(({ label }) => label === this.#primaryLabel);
    return this.#generations.length === 1 ? this.#generations[0] : undefined;
  }

  #primary(): Generation {
    const primary = this.#findPrimary();
    if (primary !== undefined) return primary;
    const have = this.#generations.map(({ label }) => label).join(', ');
    if (this.#primaryLabel === undefined) {
      throw new VolsealError(
        'ERR_VOLSEAL_NO_PRIMARY',
        `several secrets are set (${have}) and none is named primary`,
        {
          hint: `name one in [env] of fly.toml, for example VOLSEAL_PRIMARY = "${this.#generations[0]?.label}": the old one until every Machine has the new secret, then the new one`,
        },
      );
    }
    throw new VolsealError(
      'ERR_VOLSEAL_NO_PRIMARY',
      `the primary secret ${this.#primaryLabel} is not set here (set: ${have})`,
      {
        hint: `volseal keygen --label ${this.#primaryLabel} | fly secrets set ${this.#prefix}${this.#primaryLabel}=-   or change VOLSEAL_PRIMARY`,
      },
    );
  }
}
