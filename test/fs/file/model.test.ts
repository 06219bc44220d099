/** An open file against a buffer: any operations, reopened and killed in between, at several segment sizes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Suite } from '../../../src/aead/suite.ts';
import type { OpenFile } from '../../../src/fs/file/open-file.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import {
  contentOf,
  expectSame,
  pattern,
  readAt,
  SealedVolume,
  type SealedVolumeOptions,
} from './sealed-volume.ts';

type Operation =
  | { readonly do: 'write'; readonly at: number; readonly length: number; readonly seed: number }
  | { readonly do: 'append'; readonly length: number; readonly seed: number }
  | { readonly do: 'read'; readonly at: number; readonly length: number }
  | { readonly do: 'truncate'; readonly to: number }
  | { readonly do: 'sync' | 'checkpoint' | 'reopen' | 'kill' | 'look' };

/** The plaintext, as simply as can be. */
class Model {
  bytes: Buffer = Buffer.alloc(0);

  write(source: Buffer, at: number): void {
    if (source.length === 0) return;
    if (at + source.length > this.bytes.length) this.truncate(at + source.length);
    source.copy(this.bytes, at);
  }

  truncate(to: number): void {
    const bytes = Buffer.alloc(to);
    this.bytes.copy(bytes, 0, 0, Math.min(to, this.bytes.length));
    this.bytes = bytes;
  }
}

/** Lengths and offsets where they hurt: at the borders of segments. */
function places(plainSegmentBytes: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.nat(6 * plainSegmentBytes),
    fc.nat(300),
    fc
      .tuple(fc.nat(6), fc.integer({ min: -2, max: 2 }))
      .map(([segments, near]) => Math.max(0, segments * plainSegmentBytes + near)),
  );
}

function operations(plainSegmentBytes: number): fc.Arbitrary<Operation[]> {
  const at = places(plainSegmentBytes);
  const seed = fc.nat(1_000);
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), at, length: at, seed }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('append' as const), length: at, seed }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), at, length: at }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('truncate' as const), to: at }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('sync', 'checkpoint', 'reopen', 'kill', 'look'),
      }) as fc.Arbitrary<Operation>,
    },
  );
  return fc.array(operation, { minLength: 1, maxLength: 40 });
}

interface Shape {
  readonly segmentBytes: number;
  readonly suite: Suite;
  readonly options: SealedVolumeOptions;
}

async function run({ options, segmentBytes, suite }: Shape, steps: readonly Operation[]): Promise<void> {
  let system = new SimulatedSystem();
  let volume = await SealedVolume.create('/v', system, options);
  await volume.make('f', new Uint8Array(0), { segmentBytes, suite });
  let file: OpenFile = await volume.open('f');
  const model = new Model();
  /** What may be on the disk: the last synced content, and whatever came after it. */
  let possible: Buffer[] = [model.bytes];
  const expectPossible = (content: Buffer): void => {
    expect(possible.some((candidate) => candidate.equals(content))).toBe(true);
  };
  for (const step of steps) {
    switch (step.do) {
      case 'write': {
        const bytes = pattern(step.length, step.seed);
        expect(await file.write(bytes, 0, bytes.length, step.at)).toBe(bytes.length);
        model.write(bytes, step.at);
        break;
      }
      case 'append': {
        const bytes = pattern(step.length + 4, step.seed);
        expect(await file.append(bytes, 2, step.length)).toBe(step.length);
        model.write(bytes.subarray(2, 2 + step.length), model.bytes.length);
        break;
      }
      case 'truncate':
        await file.truncate(step.to);
        model.truncate(step.to);
        break;
      case 'read':
        expectSame(
          await readAt(file, step.length, step.at),
          model.bytes.subarray(step.at, step.at + step.length),
        );
        break;
      case 'sync':
        await file.sync();
        possible = [];
        break;
      case 'checkpoint':
        await file.checkpoint();
        possible = [];
        break;
      case 'reopen':
        await file.close();
        expect(system.openDescriptors).toEqual([]);
        expect([...(await volume.journals()), ...(await volume.locks())]).toEqual([]);
        file = await volume.open('f');
        possible = [];
        break;
      case 'kill': {
        // Another boot: what the kernel had is on the disk, what the process had is gone.
        pretendReboot();
        system = new SimulatedSystem(system.image());
        volume = volume.sibling(options, system);
        // Alternately found first by a reader and by a writer.
        if (step.do === 'kill' && model.bytes.length % 2 === 0) expectPossible(await volume.content('f'));
        file = await volume.open('f');
        const content = await contentOf(file);
        expectPossible(content);
        model.bytes = content;
        possible = [];
        break;
      }
      case 'look':
        expectPossible(await volume.sibling(options).content('f'));
        break;
    }
    expect(file.plainBytes).toBe(model.bytes.length);
    possible.push(Buffer.from(model.bytes));
  }
  expectSame(await contentOf(file), model.bytes);
  await file.close();
  expectSame(await volume.content('f'), model.bytes);
  expect(system.openDescriptors).toEqual([]);
}

const shapes: Shape[] = [4_096, 4_608, 16_384].flatMap((segmentBytes) =>
  (['aes-256-gcm', 'xchacha20-poly1305'] as const).flatMap((suite) => [
    { segmentBytes, suite, options: {} },
    // Without a cache everything is read, opened and loaded anew.
    { segmentBytes, suite, options: { cacheBytes: 0 } },
  ]),
);

describe('an open file against a buffer', () => {
  it.each(shapes)('$segmentBytes-byte segments, $suite, $options', async (shape) => {
    const steps = operations(shape.segmentBytes - 44);
    await fc.assert(
      fc.asyncProperty(steps, async (chosen) => run(shape, chosen)),
      { numRuns: Number(process.env.FC_RUNS ?? 15), endOnFailure: true },
    );
  });
});
