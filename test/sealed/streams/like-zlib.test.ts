/** Events and callbacks come in the order in which zlib's streams give them, for the same thing done to both. */

import { type Transform, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';

import { createDecryptStream, createEncryptStream, encrypt } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { keys } from './transforms.ts';

/** Does something to a stream; the input is compressed or sealed data where the stream takes such. */
type Script = (stream: Transform, whole: Uint8Array, call: Call, log: (what: string) => void) => void;
/** A callback that is logged; every one of them has to be called in the end. */
type Call = (what: string) => (error?: Error | null) => void;

const watched = ['pipe', 'unpipe', 'prefinish', 'finish', 'end', 'error', 'close', 'drain'] as const;

/** What happens, in order; runs of the same thing count once, and errors count whatever they say. */
async function eventsOf(
  stream: Transform,
  input: Uint8Array,
  script: Script,
  reading: boolean,
  closes: boolean,
): Promise<string[]> {
  const seen: string[] = [];
  const log = (what: string): void => {
    if (seen.at(-1) !== what) seen.push(what);
  };
  let expectedCalls = 0;
  const call: Call = (what) => {
    expectedCalls++;
    return (error) => {
      expectedCalls--;
      log(`${what}:${error ? 'error' : 'ok'}`);
    };
  };
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  for (const event of watched) stream.on(event, () => log(event));
  if (reading) stream.resume();
  try {
    script(stream, input, call, log);
  } catch {
    log('thrown');
  }
  // zlib works on another thread: how long it takes is not known.
  if (closes) await closed;
  else await sleep(50);
  await vi.waitFor(
    () => expect(expectedCalls, 'callbacks that were never called').toBe(closes ? 0 : expectedCalls),
    5_000,
  );
  const { destroyed, errored, readableEnded, writableFinished } = stream;
  const happened = [...seen];
  stream.destroy();
  return [
    ...happened,
    `destroyed=${destroyed} errored=${errored !== null} ended=${readableEnded} finished=${writableFinished}`,
  ];
}

const scripts: Readonly<Record<string, Script>> = {
  'end at once': (stream, whole, call) => stream.end(whole, call('ended')),
  'write, then end': (stream, whole, call) => {
    stream.write(whole, call('written'));
    stream.end(call('ended'));
  },
  'many writes without waiting': (stream, whole, call) => {
    for (let at = 0; at < whole.length; at += 1_000) stream.write(whole.subarray(at, at + 1_000));
    stream.end(call('ended'));
  },
  'end without input': (stream, _whole, call) => stream.end(call('ended')),
  'destroyed before anything': (stream) => stream.destroy(),
  'destroyed with an error before anything': (stream) => stream.destroy(new Error('enough')),
  'destroyed after a write': (stream, whole) => {
    stream.write(whole);
    stream.destroy();
  },
  'destroyed with an error after a write': (stream, whole) => {
    stream.write(whole);
    stream.destroy(new Error('enough'));
  },
  'destroyed after end': (stream, whole, call) => {
    stream.end(whole, call('ended'));
    stream.destroy();
  },
  'destroyed on end': (stream, whole, call) => {
    stream.once('end', () => stream.destroy());
    stream.end(whole, call('ended'));
  },
  'written to after end': (stream, whole, call) => {
    stream.end(whole);
    stream.write('more', call('late write'));
  },
  'ended twice': (stream, whole, call) => {
    stream.end(whole, call('ended'));
    stream.end(call('ended again'));
  },
  'misuse: an object written': (stream) => {
    stream.write({ no: 'bytes' } as unknown as string);
  },
  'misuse: null written': (stream) => {
    stream.write(null as unknown as string);
  },
  'misuse: an unknown encoding': (stream) => {
    stream.write('text', 'no-such' as BufferEncoding);
  },
  'piped to and unpiped': (stream, whole, _call, log) => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    sink.on('finish', () => log('sink finish'));
    stream.pipe(sink);
    stream.end(whole);
  },
};

/**
 * Both sides of a Transform go through their events in order, but how the two are interleaved depends on timing: zlib
 * works on another thread.
 */
function bySide(seen: readonly string[]): { writing: string[]; reading: string[] } {
  const ofReading = new Set(['end', 'sink finish', 'pipe', 'unpipe']);
  const ofBoth = new Set(['error', 'close', 'thrown', seen.at(-1) as string]);
  return {
    writing: seen.filter((what) => ofBoth.has(what) || !ofReading.has(what)),
    reading: seen.filter((what) => ofBoth.has(what) || ofReading.has(what)),
  };
}

const plain = plainOf(200_000);
const zipped = gzipSync(plain);
const pairs = [
  {
    name: 'createEncryptStream as createGzip',
    ours: () => createEncryptStream({ keys }),
    theirs: () => createGzip(),
    ourInput: async (): Promise<Uint8Array> => plain,
    theirInput: plain,
  },
  {
    name: 'createDecryptStream as createGunzip',
    ours: () => createDecryptStream({ keys }),
    theirs: () => createGunzip(),
    ourInput: () => encrypt(plain, { keys }),
    theirInput: zipped,
  },
];

const names = Object.keys(scripts);
const forAnyInput = names.filter((name) => name !== 'end without input');

describe.each(pairs)('$name', ({ name: pair, ours, theirs, ourInput, theirInput }) => {
  const compare = async (name: string, reading: boolean, closes: boolean): Promise<void> => {
    const script = scripts[name] as Script;
    const input = await ourInput();
    const [expected, seen] = await Promise.all([
      eventsOf(theirs(), theirInput, script, reading, closes),
      eventsOf(ours(), input, script, reading, closes),
    ]);
    expect(bySide(seen)).toEqual(bySide(expected));
    if (seen.includes('close')) expect(seen.at(-2)).toMatch(/^(close|ended|late)/);
  };

  test.each(pair.startsWith('createEncrypt') ? names : forAnyInput)('%s', (name) =>
    compare(name, true, !name.startsWith('misuse')),
  );

  test.each([
    ['end at once', false],
    ['destroyed after a write', true],
  ] as const)('nobody reads: %s', (name, closes) => compare(name, false, closes));
});

test.each([
  ['ends early', async () => (await encrypt(plain, { keys })).subarray(0, -1)],
  ['ends inside the header', async () => (await encrypt(plain, { keys })).subarray(0, 100)],
  ['is empty', async () => Buffer.alloc(0)],
  ['is of another kind', async () => plain],
])(
  'input that %s: stricter than zlib, the writer hears of the error too, and there is no finish',
  async (_name, input) => {
    const seen = await eventsOf(
      createDecryptStream({ keys }),
      await input(),
      scripts['end at once'] as Script,
      true,
      true,
    );
    expect(bySide(seen).reading).toEqual([
      'error',
      'close',
      'destroyed=true errored=true ended=false finished=false',
    ]);
    expect(seen).toContain('ended:error');
    expect(seen).not.toContain('ended:ok');
    expect(seen).not.toContain('finish');
  },
);
