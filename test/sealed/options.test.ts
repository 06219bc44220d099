/** Every option of every function: unknown ones are refused by name, wrong values before anything happens. */

import { existsSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';

import * as volseal from '../../src/index.ts';
import { testKeys } from '../../src/testing.ts';
import { scratch } from './scratch.ts';

const { at, leftovers } = scratch();
const keys = testKeys();
const sealedPath = at('sealed');
let sealed: Uint8Array;
beforeAll(async () => {
  sealed = await volseal.encrypt(new Uint8Array(10), { keys });
  writeFileSync(sealedPath, sealed);
});

type Options = Record<string, unknown>;

/** Functions of promises reject, constructors throw. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return 'accepted';
  } catch (error) {
    return error;
  }
}

const seal = ['keys', 'context', 'suite', 'segmentBytes', 'signal'];
const open = ['keys', 'context', 'exactContext', 'opaqueErrors', 'signal'];
const file = ['overwrite', 'mode', 'onProgress'];

interface Call {
  readonly options: readonly string[];
  /** Whether wrong options are thrown at once, before there is a stream. */
  readonly throws: boolean;
  run(options: unknown): unknown;
}

/** Streams are ended at once: only what they think of their options is of interest. */
function dropped(stream: { on(event: 'error', listener: () => void): unknown; destroy(): unknown }): void {
  stream.on('error', () => {});
  stream.destroy();
}

const calls: Readonly<Record<string, Call>> = {
  encrypt: { options: seal, throws: false, run: (o) => volseal.encrypt(new Uint8Array(1), o as never) },
  decrypt: { options: open, throws: false, run: (o) => volseal.decrypt(sealed, o as never) },
  createEncryptStream: {
    options: seal,
    throws: true,
    run: (o) => dropped(volseal.createEncryptStream(o as never)),
  },
  createDecryptStream: {
    options: open,
    throws: true,
    run: (o) => dropped(volseal.createDecryptStream(o as never)),
  },
  EncryptionStream: {
    options: seal,
    throws: true,
    run: (o) => void new volseal.EncryptionStream(o as never),
  },
  DecryptionStream: {
    options: open,
    throws: true,
    run: (o) => void new volseal.DecryptionStream(o as never),
  },
  createEncryptWriteStream: {
    options: [...seal, ...file],
    throws: true,
    run: (o) => dropped(volseal.createEncryptWriteStream(at('out'), o as never)),
  },
  createDecryptReadStream: {
    options: [...open, 'start', 'end'],
    throws: true,
    run: (o) => dropped(volseal.createDecryptReadStream(sealedPath, o as never)),
  },
  openEncrypted: {
    options: open,
    throws: false,
    run: async (o) => (await volseal.openEncrypted(sealedPath, o as never)).close(),
  },
  encryptFile: {
    options: [...seal, ...file],
    throws: false,
    run: (o) => volseal.encryptFile(sealedPath, at('out'), o as never),
  },
  decryptFile: {
    options: [...open, ...file],
    throws: false,
    run: (o) => volseal.decryptFile(sealedPath, at('out'), o as never),
  },
};

/** Values that each option must refuse, and some that it must take. */
const values: Readonly<Record<string, { wrong: readonly unknown[]; right: readonly unknown[] }>> = {
  keys: {
    wrong: [null, 'secret', {}, [], [null], [keys, 'x'], Array.from({ length: 9 }, () => keys)],
    right: [keys, [keys]],
  },
  context: {
    wrong: [null, 5, 'a=b', { a: 1 }, { a: null }, { '': 'x' }, { a: '\ud800' }, { a: 'x'.repeat(1_025) }],
    right: [undefined, {}],
  },
  exactContext: { wrong: [null, 'true', 'false', 0, 1], right: [undefined, true, false] },
  opaqueErrors: { wrong: [null, 'true', 'false', 0, 1], right: [undefined, true, false] },
  suite: {
    wrong: [null, '', 'aes', 'AES-256-GCM', 0, {}],
    right: [undefined, 'aes-256-gcm', 'xchacha20-poly1305'],
  },
  segmentBytes: {
    wrong: [
      null,
      '65536',
      0,
      -4_096,
      4_095,
      4_097,
      65_535,
      65_536.5,
      4_194_305,
      8_388_608,
      Infinity,
      Number.NaN,
    ],
    right: [undefined, 4_096, 4_608, 4_194_304],
  },
  signal: {
    wrong: [null, {}, 'abort', new EventTarget(), new AbortController()],
    right: [undefined, new AbortController().signal],
  },
  overwrite: { wrong: [null, 'false', 0], right: [undefined, true] },
  mode: { wrong: [null, '600', -1, 0o10000, 1.5, Number.NaN], right: [undefined, 0, 0o600, 0o7777] },
  onProgress: { wrong: [null, {}, 'log'], right: [undefined, () => {}] },
  start: { wrong: [null, '0', -1, 0.5, Number.NaN, Infinity, 2 ** 53], right: [undefined, 0, 5, 2 ** 52] },
  end: { wrong: [null, '0', -1, 0.5, Number.NaN, 2 ** 53], right: [undefined, 0, 5, 2 ** 52, Infinity] },
};

/** Their options are refused in test/fs/volume/init.test.ts. */
const ofVolumes: ReadonlySet<string> = new Set(['initVolume', 'openVolume']);

test('the table names every function and every option', () => {
  const functions = Object.entries(volseal).filter(
    ([name, value]) => typeof value === 'function' && name !== 'VolsealError' && !ofVolumes.has(name),
  );
  expect(functions.map(([name]) => name).sort()).toEqual([...Object.keys(calls), 'inspect'].sort());
  expect(Object.keys(values).sort()).toEqual(
    [...new Set([...seal, ...open, ...file, 'start', 'end'])].sort(),
  );
});

describe.each(Object.keys(calls))('%s', (name) => {
  const { options, run, throws } = calls[name] as Call;

  test('refuses what it does not know, by name and with its own names', async () => {
    for (const unknown of [
      'key',
      'contexts',
      'Suite',
      'segmentbytes',
      'segment_bytes',
      'highWaterMark',
      'toString',
      '__proto__x',
      '',
    ]) {
      const error = await outcome(() => run({ keys, [unknown]: undefined }));
      expect(error).toMatchObject({
        name: 'VolsealError',
        code: 'ERR_VOLSEAL_UNKNOWN_OPTION',
        message: `${name} has no option ${JSON.stringify(unknown)}`,
      });
      const meant = options.find((option) => option.toLowerCase() === unknown.toLowerCase());
      const { hint } = error as { hint: string };
      if (meant === undefined) expect(hint).toBe(`it takes ${options.join(', ')}`);
      else expect(hint).toBe(`did you mean ${meant}?`);
    }
    for (const other of Object.keys(values).filter((option) => !options.includes(option))) {
      expect(await outcome(() => run({ keys, [other]: values[other]?.right[1] }))).toMatchObject({
        code: 'ERR_VOLSEAL_UNKNOWN_OPTION',
      });
    }
  });

  test.each([undefined, null, 5, 'keys'])('needs an object: %j', async (wrong) => {
    const error = await outcome(() => run(wrong));
    expect(error).toMatchObject({ name: 'VolsealError', code: 'ERR_VOLSEAL_INVALID_ARGUMENT' });
  });

  test('needs keys', async () => {
    expect(await outcome(() => run({}))).toMatchObject({
      code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
      hint: expect.stringContaining('flySecrets'),
    });
  });

  test.each(options.map((option) => [option]))(
    '%s: wrong values are refused, right ones taken',
    async (option) => {
      const { wrong, right } = values[option] as { wrong: readonly unknown[]; right: readonly unknown[] };
      for (const value of wrong) {
        const call = (): unknown => run({ keys, [option]: value });
        const what = `${option}: ${String(JSON.stringify(value))}`;
        const code = option === 'suite' ? 'ERR_VOLSEAL_UNSUPPORTED_SUITE' : 'ERR_VOLSEAL_INVALID_ARGUMENT';
        if (throws)
          expect(call, what).toThrowError(expect.objectContaining({ name: 'VolsealError', code }) as Error);
        else expect(await outcome(call), what).toMatchObject({ name: 'VolsealError', code });
        expect(existsSync(at('out')), what).toBe(false);
      }
      for (const value of right) {
        const accepted: Options = { keys, [option]: value };
        const { rmSync } = await import('node:fs');
        expect(await outcome(() => run(accepted)), `${option}: ${String(JSON.stringify(value))}`).toBe(
          'accepted',
        );
        rmSync(at('out'), { force: true });
      }
      expect(leftovers()).toEqual([]);
    },
  );

  test('does not change its options', async () => {
    const given: Options = Object.freeze({ keys });
    expect(await outcome(() => run(given))).toBe('accepted');
    const { rmSync } = await import('node:fs');
    rmSync(at('out'), { force: true });
  });
});

test.each(['text', 5, null, undefined, [1, 2], new ArrayBuffer(4), new DataView(new ArrayBuffer(4))])(
  'bytes must be bytes: %j',
  async (wrong) => {
    for (const call of [volseal.encrypt, volseal.decrypt]) {
      expect(await outcome(() => call(wrong as never, { keys }))).toMatchObject({
        code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
      });
    }
  },
);

test.each(['', 'a\0b', 5, null, undefined, new URL('http://example.com'), {}])(
  'a path must be a path: %j',
  async (wrong) => {
    for (const call of [
      () => volseal.createEncryptWriteStream(wrong as never, { keys }),
      () => volseal.createDecryptReadStream(wrong as never, { keys }),
      () => volseal.openEncrypted(wrong as never, { keys }),
      () => volseal.inspect(wrong as never),
    ]) {
      expect(await outcome(call)).toMatchObject({
        name: 'VolsealError',
        code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
      });
    }
  },
);
