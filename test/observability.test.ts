/**
 * Every channel and field of src/trace.ts is published by a real operation, docs/observability.md lists exactly them, and
 * none carries a secret.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { parseSync, Visitor } from 'oxc-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createDecryptReadStream,
  createDecryptStream,
  createEncryptStream,
  createEncryptWriteStream,
  DecryptionStream,
  decrypt,
  decryptFile,
  EncryptionStream,
  encrypt,
  encryptFile,
  initVolume,
  type KeyProvider,
  openEncrypted,
  openVolume,
} from '../src/index.ts';
import { Keyring } from '../src/keyring/keyring.ts';
import { flySecrets } from '../src/kms/index.ts';
import { generateSecret } from '../src/kms/secret-value.ts';
import { nodeSystem } from '../src/os/node-system.ts';

type Message = Record<string, unknown>;

/** Which interface of src/trace.ts a channel's messages have. */
const interfaces: Readonly<Record<string, string>> = {
  'volseal:key.wrap': 'KeyMessage',
  'volseal:key.unwrap': 'KeyMessage',
  'volseal:sealed': 'OperationMessage',
  'volseal:opened': 'OperationMessage',
  'volseal:rejected': 'RejectedMessage',
  'volseal:warning': 'WarningMessage',
};
const channels = Object.keys(interfaces);

const directory = mkdtempSync(join(tmpdir(), 'volseal-observability-'));
const at = (name: string): string => join(directory, name);
const plaintext = Buffer.from('the plaintext of this test, which nobody may see. '.repeat(3_000));
const secret = generateSecret();
const dataKeys: Uint8Array[] = [];

/** Fly secrets, remembering every data key that passes, so that messages can be searched for them. */
function watchedKeys(): KeyProvider {
  const inner = flySecrets({ env: { VOLSEAL_SECRET_v1: secret } });
  return {
    type: inner.type,
    wrap(key, info) {
      dataKeys.push(Uint8Array.from(key));
      return inner.wrap(key, info);
    },
    unwrap: (wrapped, info) => inner.unwrap(wrapped, info),
    describe: () => inner.describe(),
  };
}

const keys = watchedKeys();
const otherKeys = flySecrets({ env: { VOLSEAL_SECRET_other: generateSecret() } });

const heard = new Map<string, Message[]>(channels.map((name) => [name, []]));
const listeners = channels.map((name) => ({
  name,
  listen: (message: unknown) => {
    heard.get(name)?.push(message as Message);
  },
}));

function messages(channel: string): Message[] {
  return heard.get(channel) as Message[];
}

/** What the work published, by channel; channels that stayed silent are left out. */
async function published(work: () => Promise<unknown>): Promise<Record<string, Message[]>> {
  const before = new Map(channels.map((name) => [name, messages(name).length]));
  await work();
  const fresh = channels.map((name) => [name, messages(name).slice(before.get(name))] as const);
  return Object.fromEntries(fresh.filter(([, list]) => list.length > 0));
}

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const failing = (expected: string, work: Promise<unknown>): Promise<void> =>
  expect(work).rejects.toEqual(code(expected));

beforeAll(() => {
  for (const { name, listen } of listeners) subscribe(name, listen);
  writeFileSync(at('plain'), plaintext);
});

afterAll(() => {
  for (const { name, listen } of listeners) unsubscribe(name, listen);
  rmSync(directory, { recursive: true });
});

const fileId = expect.stringMatching(/^[0-9a-f]{32}$/) as string;
const keyId = expect.stringMatching(/^([A-Z2-7]{4}-){7}[A-Z2-7]{4}$/) as string;
const durationMs = expect.any(Number) as number;
const keyMessage = { provider: 'fly-secrets', keyId, durationMs };
const operation = (name: string, more: Message = {}): Message => ({
  operation: name,
  fileId,
  suite: 'aes-256-gcm',
  plainBytes: plaintext.length,
  durationMs,
  ...more,
});
const rejected = (name: string, direction: string, error: string, more: Message = {}): Message => ({
  operation: name,
  direction,
  error,
  durationMs,
  ...more,
});

/** What every encryption publishes beside its own message: one wrap, opened again. */
const sealing = (message: Message): Record<string, Message[]> => ({
  'volseal:key.wrap': [keyMessage],
  'volseal:key.unwrap': [keyMessage],
  'volseal:sealed': [message],
});
const opening = (message: Message): Record<string, Message[]> => ({
  'volseal:key.unwrap': [keyMessage],
  'volseal:opened': [message],
});

async function closed(stream: Readable | Writable): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
}

let sealed: Uint8Array;

describe('operations that succeed', () => {
  it('buffer', async () => {
    expect(await published(async () => (sealed = await encrypt(plaintext, { keys })))).toEqual(
      sealing(operation('buffer')),
    );
    expect(await published(() => decrypt(sealed, { keys }))).toEqual(opening(operation('buffer')));
  });

  it('file', async () => {
    const from = { path: at('plain') };
    expect(await published(() => encryptFile(at('plain'), at('file.vsl'), { keys }))).toEqual(
      sealing(operation('file', from)),
    );
    expect(await published(() => decryptFile(at('file.vsl'), at('file.out'), { keys }))).toEqual(
      opening(operation('file', { path: at('file.vsl') })),
    );
  });

  it('file, with the other suite, names it', async () => {
    const suite = 'xchacha20-poly1305';
    const told = await published(() => encryptFile(at('plain'), at('xchacha.vsl'), { keys, suite }));
    expect(told).toEqual(sealing(operation('file', { path: at('plain'), suite })));
  });

  it('stream: Transforms', async () => {
    const encrypting = async (): Promise<void> => {
      const stream = createEncryptStream({ keys });
      stream.end(plaintext);
      await pipeline(stream, async (source: AsyncIterable<Uint8Array>) => {
        for await (const chunk of source) expect(chunk.length).toBeGreaterThan(0);
      });
    };
    expect(await published(encrypting)).toEqual(sealing(operation('stream')));
    const decrypting = async (): Promise<void> => {
      const stream = createDecryptStream({ keys });
      stream.end(sealed);
      stream.resume();
      await finished(stream);
    };
    expect(await published(decrypting)).toEqual(opening(operation('stream')));
  });

  it('stream: Web streams', async () => {
    const through = async (bytes: Uint8Array, pair: EncryptionStream | DecryptionStream): Promise<void> => {
      await new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(pair).pipeTo(new WritableStream());
    };
    expect(await published(() => through(plaintext, new EncryptionStream({ keys })))).toEqual(
      sealing(operation('stream')),
    );
    expect(await published(() => through(sealed, new DecryptionStream({ keys })))).toEqual(
      opening(operation('stream')),
    );
  });

  it('stream: to and from a file', async () => {
    const path = at('stream.vsl');
    const writing = async (): Promise<void> => {
      const stream = createEncryptWriteStream(path, { keys });
      stream.end(plaintext);
      await finished(stream);
    };
    expect(await published(writing)).toEqual(sealing(operation('stream', { path })));
    const reading = async (): Promise<void> => {
      const stream = createDecryptReadStream(path, { keys, start: 10, end: 109 });
      stream.resume();
      await finished(stream);
    };
    expect(await published(reading)).toEqual(opening(operation('stream', { path, plainBytes: 100 })));
  });

  it('handle', async () => {
    const path = at('file.vsl');
    const opened = async (): Promise<void> => {
      const file = await openEncrypted(path, { keys });
      await file.read(Buffer.alloc(10));
      await file.close();
    };
    expect(await published(opened)).toEqual(opening(operation('handle', { path })));
  });
});

describe('operations that fail', () => {
  const missing = 'ERR_VOLSEAL_KEY_MISSING';
  const tampered = 'ERR_VOLSEAL_TAMPERED';

  it('buffer: a key that is missing, data that was changed', async () => {
    expect(await published(() => failing(missing, decrypt(sealed, { keys: otherKeys })))).toEqual({
      'volseal:rejected': [rejected('buffer', 'open', missing)],
    });
    const changed = Uint8Array.from(sealed);
    changed[5_000] = (changed[5_000] as number) ^ 1;
    expect(await published(() => failing(tampered, decrypt(changed, { keys })))).toEqual({
      'volseal:key.unwrap': [keyMessage],
      'volseal:rejected': [rejected('buffer', 'open', tampered)],
    });
    const opaque = 'ERR_VOLSEAL_CANNOT_OPEN';
    expect(await published(() => failing(opaque, decrypt(changed, { keys, opaqueErrors: true })))).toEqual({
      'volseal:key.unwrap': [keyMessage],
      'volseal:rejected': [rejected('buffer', 'open', opaque)],
    });
  });

  it('a provider that cannot wrap, and one that cannot unwrap', async () => {
    const unusable = flySecrets({ env: { VOLSEAL_SECRET_a: generateSecret(), VOLSEAL_SECRET_b: secret } });
    const noPrimary = 'ERR_VOLSEAL_NO_PRIMARY';
    expect(await published(() => failing(noPrimary, encrypt(plaintext, { keys: unusable })))).toEqual({
      'volseal:key.wrap': [{ provider: 'fly-secrets', durationMs, error: noPrimary }],
      'volseal:rejected': [rejected('buffer', 'seal', noPrimary)],
    });
    const broken: KeyProvider = {
      ...keys,
      unwrap: () => Promise.reject(new Error('the service says no')),
    };
    const failed = 'ERR_VOLSEAL_PROVIDER_FAILED';
    expect(await published(() => failing(failed, decrypt(sealed, { keys: broken })))).toEqual({
      'volseal:key.unwrap': [{ ...keyMessage, error: failed }],
      'volseal:rejected': [rejected('buffer', 'open', failed)],
    });
  });

  it('file and handle', async () => {
    const path = at('none');
    const notFound = 'ERR_VOLSEAL_NOT_FOUND';
    expect(await published(() => failing(notFound, encryptFile(path, at('none.vsl'), { keys })))).toEqual({
      'volseal:rejected': [rejected('file', 'seal', notFound, { path })],
    });
    expect(await published(() => failing(notFound, openEncrypted(path, { keys })))).toEqual({
      'volseal:rejected': [rejected('handle', 'open', notFound, { path })],
    });
  });

  it('file: one that cannot take its name is not told as sealed', async () => {
    const path = at('taken.vsl');
    const onProgress = (): void => writeFileSync(path, 'somebody was faster');
    const exists = 'ERR_VOLSEAL_EXISTS';
    const options = { keys, overwrite: false, onProgress };
    expect(await published(() => failing(exists, encryptFile(at('plain'), path, options)))).toEqual({
      'volseal:key.wrap': [keyMessage],
      'volseal:key.unwrap': [keyMessage],
      'volseal:rejected': [rejected('file', 'seal', exists, { path: at('plain') })],
    });
    expect(readFileSync(path, 'utf8')).toBe('somebody was faster');
  });

  it('stream: one that is aborted, and one whose reader goes away', async () => {
    const aborted = 'ERR_VOLSEAL_ABORTED';
    const path = at('aborted.vsl');
    const abort = async (): Promise<void> => {
      const controller = new AbortController();
      const stream = createEncryptWriteStream(path, { keys, signal: controller.signal });
      await new Promise((resolve) => stream.write(plaintext, resolve));
      controller.abort();
      await failing(aborted, finished(stream));
      await closed(stream);
    };
    expect(await published(abort)).toMatchObject({
      'volseal:rejected': [rejected('stream', 'seal', aborted, { path })],
    });
    const leave = async (): Promise<void> => {
      const stream = createDecryptReadStream(at('stream.vsl'), { keys });
      for await (const chunk of stream) {
        expect((chunk as Buffer).length).toBeGreaterThan(0);
        break;
      }
      await closed(stream);
    };
    expect(await published(leave)).toEqual({
      'volseal:key.unwrap': [keyMessage],
      'volseal:rejected': [rejected('stream', 'open', aborted, { path: at('stream.vsl') })],
    });
  });
});

describe('warnings', () => {
  it('equal secrets', async () => {
    const told = await published(async () =>
      flySecrets({ env: { VOLSEAL_SECRET_a: secret, VOLSEAL_SECRET_b: secret } }),
    );
    const message = expect.stringMatching(/VOLSEAL_SECRET_a and VOLSEAL_SECRET_b/) as string;
    expect(told).toEqual({ 'volseal:warning': [{ code: 'equal-secrets', message }] });
  });

  it('a damaged header copy, with the file where there is one', async () => {
    const damaged = Uint8Array.from(sealed);
    damaged[2_048] = 0;
    const warning = { code: 'header-copy-damaged', message: expect.stringMatching(/header/) as string };
    expect((await published(() => decrypt(damaged, { keys })))['volseal:warning']).toEqual([warning]);

    const path = at('damaged.vsl');
    writeFileSync(path, damaged);
    const told = await published(async () => {
      await (await openEncrypted(path, { keys })).close();
      await decryptFile(path, at('damaged.out'), { keys });
    });
    expect(told['volseal:warning']).toEqual([
      { ...warning, path },
      { ...warning, path },
    ]);
  });
});

describe('warnings of a volume', () => {
  it('it has no recovery key', async () => {
    const volume = at('volume/.volseal');
    mkdirSync(at('volume'));
    const { keyring } = await Keyring.create(nodeSystem, volume, { providers: [keys], recovery: false });
    keyring.close();
    const told = await published(async () =>
      (await Keyring.open(nodeSystem, volume, { providers: [keys] })).close(),
    );
    expect(told['volseal:warning']).toEqual([
      {
        code: 'no-recovery-key',
        message: expect.stringContaining('volseal recovery create') as string,
        path: at('volume/.volseal/keyring.json'),
      },
    ]);
  });

  it('a directory of its own was lost', async () => {
    mkdirSync(at('lost'));
    await initVolume(at('lost'), { keys });
    rmdirSync(at('lost/.volseal/locks'));
    const told = await published(async () => (await openVolume(at('lost'), { keys })).close());
    expect(told['volseal:warning']).toEqual([
      {
        code: 'directory-made-again',
        message: '.volseal/locks was missing and has been made again',
        path: at('lost/.volseal/locks'),
      },
    ]);
  });

  it('a journal is older than its file', async () => {
    mkdirSync(at('old'));
    await initVolume(at('old'), { keys });
    const journals = at('old/.volseal/journal');
    const volume = await openVolume(at('old'), { keys });
    const handle = await volume.open('log', 'w');
    await handle.write('first');
    await handle.sync();
    const [name = ''] = readdirSync(journals);
    const early = readFileSync(join(journals, name));
    await handle.write('second');
    await handle.sync();
    await handle.close();
    await volume.close();
    writeFileSync(join(journals, name), early);
    const again = await openVolume(at('old'), { keys });
    const told = await published(async () => {
      expect(await again.readFile('log', 'utf8')).toBe('firstsecond');
    });
    await again.close();
    expect(told['volseal:warning']?.map(({ code }) => code)).toEqual(['journal-ignored']);
  });
});

/** The fields of an interface of src/trace.ts: name → optional. */
function declaredFields(name: string): Map<string, boolean> {
  const { program } = parseSync('trace.ts', source);
  const fields = new Map<string, boolean>();
  new Visitor({
    TSInterfaceDeclaration(node) {
      if (node.id.name !== name) return;
      for (const member of node.body.body) {
        if (member.type === 'TSPropertySignature' && member.key.type === 'Identifier') {
          fields.set(member.key.name, member.optional);
        }
      }
    },
  }).visit(program);
  return fields;
}

const source = readFileSync(new URL('../src/trace.ts', import.meta.url), 'utf8');
const document = readFileSync(new URL('../docs/observability.md', import.meta.url), 'utf8');

interface DocumentedField {
  readonly optional: boolean;
  /** `string`, `number`, or the values it can have. */
  readonly type: string | readonly string[];
}

/** The channels of the document, with the rows of the first table below each. */
function documented(): Map<string, Map<string, DocumentedField>> {
  const found = new Map<string, Map<string, DocumentedField>>();
  for (const section of document.split(/^## /m).slice(1)) {
    const channel = /^`(volseal:[^`]+)`$/m.exec(section.split('\n')[0] ?? '')?.[1];
    if (channel === undefined) continue;
    const rows = [...section.matchAll(/^\| `(\w+)` \| (.+?)(, optional)? \| /gm)];
    found.set(
      channel,
      new Map(
        rows.map(([, name = '', type = '', optional]) => {
          const values = [...type.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);
          return [name, { optional: optional !== undefined, type: values.length > 0 ? values : type }];
        }),
      ),
    );
  }
  return found;
}

/** What was heard of a field: the values, or the types of values, that it had. */
function heardOf(name: string, list: readonly Message[], byValue: boolean): { type: Set<unknown> } {
  const present = list.map((message) => message[name]).filter((value) => value !== undefined);
  return { type: new Set(byValue ? present : present.map((value) => typeof value)) };
}

describe('the document', () => {
  it('names every channel of the source, and no other', () => {
    const inSource = [...source.matchAll(/channel\('([^']+)'\)/g)].map((match) => match[1]);
    expect(new Set(inSource)).toEqual(new Set(channels));
    expect([...documented().keys()].toSorted()).toEqual(channels.toSorted());
  });

  it.each(channels)('has the fields of %s, and no other; all of them were heard', (channel) => {
    const fields = documented().get(channel) as Map<string, DocumentedField>;
    const declared = declaredFields(interfaces[channel] as string);
    expect(new Map([...fields].map(([name, { optional }]) => [name, optional]))).toEqual(declared);
    const list = messages(channel);
    expect(new Set(list.flatMap((message) => Object.keys(message)))).toEqual(new Set(fields.keys()));

    for (const [name, { type }] of fields) {
      const byValue = typeof type !== 'string';
      expect({ name, ...heardOf(name, list, byValue) }).toEqual({
        name,
        type: new Set(byValue ? type : [type]),
      });
    }
    const everMissing = [...fields.keys()].filter((name) =>
      list.some((message) => message[name] === undefined),
    );
    expect(everMissing.filter((name) => fields.get(name)?.optional === false)).toEqual([]);
  });
});

it('no message carries a secret, a data key or plaintext', () => {
  const said = JSON.stringify([...heard.values()]);
  expect(said.length).toBeGreaterThan(1_000);
  const raw = Buffer.from(secret.slice('vsk1.'.length), 'base64url').subarray(0, 32);
  expect(dataKeys.length).toBeGreaterThan(5);
  for (const key of [raw, ...dataKeys]) {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      // The beginning is enough: nobody else has the same eight bytes.
      expect(said).not.toContain(Buffer.from(key).toString(encoding).slice(0, 12));
    }
  }
  expect(said).not.toContain(secret);
  expect(said).not.toContain('nobody may see');
});
