/** openEncrypted against a Buffer: whatever is read, in whatever order and at once, it is what the Buffer holds. */

import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { encrypt, openEncrypted, type SealedFile } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { fresh } = scratch();
const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 32;

interface Model {
  readonly plain: Buffer;
  open: boolean;
}

interface Real {
  readonly file: SealedFile;
  /** Reads that were begun and not awaited yet, with what they must give. */
  readonly pending: Promise<void>[];
}

type Command = fc.AsyncCommand<Model, Real>;

class Read implements Command {
  readonly position: number;
  readonly length: number;
  readonly offset: number;
  readonly wait: boolean;

  constructor(position: number, length: number, offset: number, wait: boolean) {
    this.position = position;
    this.length = length;
    this.offset = offset;
    this.wait = wait;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { file, pending }: Real): Promise<void> {
    const expected = model.plain.subarray(this.position, this.position + this.length);
    const buffer = Buffer.alloc(this.offset + this.length + 3, 0xaa);
    const reading = file.read(buffer, this.offset, this.length, this.position);
    const check = async (): Promise<void> => {
      const { bytesRead, buffer: same } = await reading;
      expect(same).toBe(buffer);
      expect(bytesRead).toBe(expected.length);
      expect(buffer.subarray(this.offset, this.offset + bytesRead).equals(expected)).toBe(true);
      // Not a byte beside what was asked for.
      expect(buffer.subarray(0, this.offset).every((byte) => byte === 0xaa)).toBe(true);
      expect(buffer.subarray(this.offset + bytesRead).every((byte) => byte === 0xaa)).toBe(true);
    };
    if (!model.open) await expect(reading).rejects.toMatchObject({ code: 'ERR_VOLSEAL_CLOSED' });
    else if (this.wait) await check();
    else pending.push(check());
  }

  toString(): string {
    return `read(offset ${this.offset}, length ${this.length}, position ${this.position})${this.wait ? '' : ' meanwhile'}`;
  }
}

class Stat implements Command {
  check = (): boolean => true;

  async run({ plain }: Model, { file }: Real): Promise<void> {
    const { size, fileId, mtime } = await file.stat();
    expect(size).toBe(plain.length);
    expect(fileId).toMatch(/^[0-9a-f]{32}$/);
    expect(mtime).toBeInstanceOf(Date);
    expect({ ...file.context }).toEqual({ kind: 'model' });
  }

  toString(): string {
    return 'stat()';
  }
}

class Settle implements Command {
  check = (): boolean => true;

  async run(_model: Model, { pending }: Real): Promise<void> {
    await Promise.all(pending.splice(0));
  }

  toString(): string {
    return 'wait for all reads';
  }
}

class Close implements Command {
  check = (): boolean => true;

  async run(model: Model, { file, pending }: Real): Promise<void> {
    // Reads that are under way end well: closing waits for them, as long as they fit into one run.
    const reads = Promise.all(pending.splice(0));
    model.open = false;
    await Promise.all([file.close(), reads]);
  }

  toString(): string {
    return 'close()';
  }
}

const near = (size: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.nat({ max: size + 5_000 }),
    fc
      .tuple(fc.nat({ max: Math.ceil(size / plainSegmentBytes) }), fc.integer({ min: -2, max: 2 }))
      .map(([segment, by]) => Math.max(0, segment * plainSegmentBytes + by)),
    fc.constantFrom(0, Math.max(0, size - 1), size, size + 1, Number.MAX_SAFE_INTEGER),
  );

test.each([0, 1, plainSegmentBytes, 2 * plainSegmentBytes + 1, 100_000])(
  'a file of %i bytes',
  async (size) => {
    const plain = plainOf(size);
    const path = fresh();
    writeFileSync(path, await encrypt(plain, { keys, segmentBytes, context: { kind: 'model' } }));
    const length = fc.oneof(fc.nat({ max: 10 }), fc.nat({ max: 20_000 }), fc.constant(120_000));
    const commands = fc.commands(
      [
        fc
          .tuple(near(size), length, fc.nat({ max: 5 }), fc.boolean())
          .map(([position, bytes, offset, wait]) => new Read(position, bytes, offset, wait)),
        fc.constant(new Stat()),
        fc.constant(new Settle()),
        fc.constant(new Close()),
      ],
      { maxCommands: 25 },
    );
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const real: Real = { file: await openEncrypted(path, { keys }), pending: [] };
        try {
          await fc.asyncModelRun(() => ({ model: { plain, open: true }, real }), sequence);
          await Promise.all(real.pending);
        } finally {
          await real.file.close();
        }
      }),
      { numRuns: 40 },
    );
  },
);

test('many reads at once of a large file, small and larger than one run', async () => {
  const plain = plainOf(5_000_000);
  const path = fresh();
  writeFileSync(path, await encrypt(plain, { keys }));
  const file = await openEncrypted(path, { keys });
  const ranges = fc.sample(
    fc.tuple(fc.nat({ max: 5_000_000 }), fc.oneof(fc.nat({ max: 5_000 }), fc.nat({ max: 4_000_000 }))),
    60,
  );
  await Promise.all(
    ranges.map(async ([position, length]) => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
      expect(buffer.subarray(0, bytesRead).equals(plain.subarray(position, position + length))).toBe(true);
      expect(bytesRead).toBe(Math.min(length, plain.length - position));
    }),
  );
  await file.close();
});

test("what a read gave is the caller's own: changing it changes no later read", async () => {
  const path = fresh();
  writeFileSync(path, await encrypt(plainOf(1_000), { keys }));
  const file = await openEncrypted(path, { keys });
  const first = await file.read(new Uint8Array(1_000));
  first.buffer.fill(0);
  const second = await file.read(new Uint8Array(1_000));
  expect(plainOf(1_000).equals(second.buffer)).toBe(true);
  await file.close();
});
