/** ByteQueue beside a plain joined Buffer. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { ByteQueue } from '../../../src/stream/byte-queue.ts';

class Model {
  bytes: Uint8Array = new Uint8Array(0);
  /** What callers pushed and may not have changed yet. */
  lent: Uint8Array[] = [];
}

type Command = fc.Command<Model, ByteQueue>;

function push(chunk: Uint8Array): Command {
  return {
    check: () => true,
    run(model, queue) {
      const own = Uint8Array.from(chunk);
      queue.push(own);
      model.lent.push(own);
      model.bytes = concatBytes(model.bytes, chunk);
      expect(queue.length).toBe(model.bytes.length);
    },
    toString: () => `push(${chunk.length})`,
  };
}

function take(share: number): Command {
  return {
    check: () => true,
    run(model, queue) {
      const bytes = Math.floor(model.bytes.length * share);
      const pieces = queue.take(bytes);
      expect(hex(concatBytes(...pieces))).toBe(hex(model.bytes.subarray(0, bytes)));
      expect(pieces.every(({ length }) => length > 0)).toBe(true);
      model.bytes = model.bytes.slice(bytes);
      expect(queue.length).toBe(model.bytes.length);
    },
    toString: () => `take(${share})`,
  };
}

function peek(bytes: number): Command {
  return {
    check: () => true,
    run(model, queue) {
      expect(hex(queue.peek(bytes))).toBe(hex(model.bytes.subarray(0, bytes)));
      expect(queue.length).toBe(model.bytes.length);
    },
    toString: () => `peek(${bytes})`,
  };
}

/** After it the callers use their memory for something else. */
const own: Command = {
  check: () => true,
  run(model, queue) {
    queue.own();
    for (const chunk of model.lent) chunk.fill(0xee);
    model.lent = [];
    expect(hex(queue.peek(model.bytes.length))).toBe(hex(model.bytes));
  },
  toString: () => 'own()',
};

const clear: Command = {
  check: () => true,
  run(model, queue) {
    queue.clear();
    model.bytes = new Uint8Array(0);
    expect(queue.length).toBe(0);
  },
  toString: () => 'clear()',
};

/** Around the size from which chunks are kept as they are, and around the block that smaller ones are gathered in. */
const lengths = [0, 1, 7, 500, 2_047, 2_048, 2_049, 16_383, 16_384, 16_385, 40_000];
let counter = 0;
const chunk = fc
  .constantFrom(...lengths)
  .map((length) => Uint8Array.from({ length }, () => (counter = (counter * 31 + 7) % 251)));

test('any sequence of push, take, peek, own and clear', () => {
  const commands = [
    chunk.map(push),
    chunk.map(push),
    fc.constantFrom(0, 0.01, 0.3, 0.9, 1).map(take),
    fc.constantFrom(0, 1, 16, 5_000, 100_000).map(peek),
    fc.integer({ min: 0, max: 19 }).map((dice) => (dice === 0 ? clear : dice < 8 ? own : peek(4))),
  ];
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 60 }), (run) => {
      fc.modelRun(() => ({ model: new Model(), real: new ByteQueue() }), run);
    }),
    { numRuns: 150 },
  );
});

test('byte after byte, taken in pieces of every kind', () => {
  const queue = new ByteQueue();
  const taken: Uint8Array[] = [];
  const total = 60_000;
  for (let i = 0; i < total; i++) {
    queue.push(Uint8Array.of(i % 253));
    if (i % 1_009 === 0) taken.push(...queue.take(Math.min(queue.length, i % 700)));
  }
  taken.push(...queue.take(queue.length));
  const joined = concatBytes(...taken);
  expect(joined).toHaveLength(total);
  expect(joined.findIndex((byte, i) => byte !== i % 253)).toBe(-1);
});

test('thousands of large chunks, the first ones long gone', () => {
  const queue = new ByteQueue();
  const large = Array.from({ length: 5_000 }, (_, i) => new Uint8Array(2_048).fill(i % 256));
  for (const one of large) queue.push(one);
  for (const [i, one] of large.entries()) expect([i, queue.take(2_048)[0] === one]).toEqual([i, true]);
  expect(queue.length).toBe(0);
});

test('large chunks are not copied; small ones are, so that a caller may use its buffer again', () => {
  const queue = new ByteQueue();
  const large = new Uint8Array(2_048).fill(1);
  const small = new Uint8Array(2_047).fill(2);
  queue.push(large);
  queue.push(small);
  small.fill(9);
  const pieces = queue.take(queue.length);
  expect(pieces[0]).toBe(large);
  expect(hex(pieces[1] as Uint8Array)).toBe('02'.repeat(2_047));
});

test('own copies what was lent, once, and nothing that is its own', () => {
  const queue = new ByteQueue();
  queue.push(new Uint8Array(5_000).fill(1));
  queue.push(new Uint8Array(10).fill(2));
  queue.own();
  const [large] = queue.take(4_000) as [Uint8Array];
  queue.own();
  const [rest, small] = queue.take(1_010) as [Uint8Array, Uint8Array];
  expect(rest.buffer).toBe(large.buffer);
  expect(hex(small)).toBe('02'.repeat(10));
});

test('own copies what is lent behind thousands of chunks that are gone', () => {
  const queue = new ByteQueue();
  const lend = (count: number): Uint8Array[] =>
    Array.from({ length: count }, () => new Uint8Array(2_048).fill(1));
  for (const chunk of lend(1_500)) queue.push(chunk);
  queue.own();
  queue.take(1_200 * 2_048);
  const late = lend(5);
  for (const chunk of late) queue.push(chunk);
  queue.own();
  for (const chunk of late) chunk.fill(9);
  expect(concatBytes(...queue.take(queue.length)).every((byte) => byte === 1)).toBe(true);
});

test('what was taken stays as it was while more is pushed', () => {
  const queue = new ByteQueue();
  queue.push(new Uint8Array(100).fill(1));
  queue.push(new Uint8Array(100).fill(2));
  const taken = queue.take(150);
  for (let i = 0; i < 300; i++) queue.push(new Uint8Array(100).fill(3));
  expect(hex(concatBytes(...taken))).toBe('01'.repeat(100) + '02'.repeat(50));
});

test('thousands of single bytes come out in few pieces', () => {
  const queue = new ByteQueue();
  for (let i = 0; i < 65_536; i++) queue.push(Uint8Array.of(1));
  expect(queue.take(65_536).length).toBeLessThanOrEqual(5);
});
