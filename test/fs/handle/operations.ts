/** Calls of a handle as values, to be made on two handles side by side and compared by what came of them. */

import type { FileHandle } from 'node:fs/promises';
import fc from 'fast-check';

import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { plainOf } from '../../sealed/plain.ts';

/** What both kinds of handle have in common. */
export type AnyHandle = FileHandle | VolumeFileHandle;

export interface Operation {
  /** For people who read a counterexample. */
  readonly text: string;
  run(handle: FileHandle): Promise<unknown>;
}

/** What came of a call: its result, or the code of its error. */
export type Outcome = { readonly result: unknown } | { readonly code: string; readonly kind: string };

export async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { result: await call() };
  } catch (error) {
    const { code = String(error), name } = error as NodeJS.ErrnoException;
    return { code, kind: name };
  }
}

/** The operation on a handle of either kind: they have the same shape. */
export async function perform(operation: Operation, handle: AnyHandle): Promise<Outcome> {
  return outcomeOf(() => operation.run(handle as FileHandle));
}

const hexOf = (bytes: NodeJS.ArrayBufferView): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Beside what was asked for, the target stays as it was: so all of it is part of the result. */
const fresh = (bytes: number): Buffer => Buffer.alloc(bytes, 0xaa);

function operation(text: string, run: Operation['run']): Operation {
  return { text, run };
}

export interface Ranges {
  /** Positions and lengths stay below this. */
  readonly size: number;
  /** Where it becomes interesting: around the multiples of this. */
  readonly step?: number;
}

function place({ size, step }: Ranges): fc.Arbitrary<number> {
  const anywhere = fc.nat({ max: size });
  if (step === undefined) return anywhere;
  const near = fc
    .tuple(fc.nat({ max: Math.floor(size / step) }), fc.integer({ min: -2, max: 2 }))
    .map(([multiple, by]) => Math.max(0, multiple * step + by));
  return fc.oneof(anywhere, near);
}

const orOwn = <T>(position: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> =>
  fc.oneof({ weight: 3, arbitrary: position }, { weight: 2, arbitrary: fc.constantFrom(null, undefined) });

/** How many bytes: mostly few, now and then many. */
function amount({ size, step = size }: Ranges): fc.Arbitrary<number> {
  return fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: size }), fc.constantFrom(0, step - 1, step, step + 1));
}

export function reads(ranges: Ranges): fc.Arbitrary<Operation> {
  const at = orOwn(place(ranges));
  const length = amount(ranges);
  return fc.oneof(
    fc.tuple(fc.nat({ max: 5 }), length, at).map(([offset, bytes, position]) =>
      operation(`read(buffer, ${offset}, ${bytes}, ${position})`, async (handle) => {
        const buffer = fresh(offset + bytes + 3);
        const result = await handle.read(buffer, offset, bytes, position as number);
        return [result.bytesRead, result.buffer === buffer, hexOf(buffer)];
      }),
    ),
    fc.tuple(length, at).map(([bytes, position]) =>
      operation(`read(buffer of ${bytes}, { position: ${position} })`, async (handle) => {
        const buffer = fresh(bytes);
        const { bytesRead } = await handle.read(buffer, { position: position as number });
        return [bytesRead, hexOf(buffer)];
      }),
    ),
    fc.tuple(fc.nat({ max: 5 }), length, at).map(([offset, bytes, position]) =>
      operation(
        `read({ buffer, offset: ${offset}, length: ${bytes}, position: ${position} })`,
        async (handle) => {
          const buffer = new Uint16Array(Math.ceil((offset + bytes + 1) / 2));
          const options = { buffer, offset, length: bytes, position: position as number };
          const { bytesRead } = await handle.read(options);
          return [bytesRead, hexOf(buffer)];
        },
      ),
    ),
    at.map((position) =>
      operation(`read({ position: ${position} })`, async (handle) => {
        const { bytesRead, buffer } = await handle.read({ position: position as number });
        return [bytesRead, buffer.length, hexOf(buffer.subarray(0, bytesRead))];
      }),
    ),
    fc.tuple(fc.array(length, { maxLength: 4 }), at).map(([lengths, position]) =>
      operation(`readv([${lengths.join()}], ${position})`, async (handle) => {
        const buffers = lengths.map(fresh);
        const { bytesRead } = await handle.readv(buffers, position as number);
        return [bytesRead, ...buffers.map(hexOf)];
      }),
    ),
    fc.constantFrom(undefined, 'utf8' as const, 'base64' as const).map((encoding) =>
      operation(`readFile(${encoding})`, async (handle) => {
        const content = await handle.readFile(encoding ?? null);
        return typeof content === 'string' ? content : hexOf(content);
      }),
    ),
    fc.constant(operation('stat().size', async (handle) => (await handle.stat()).size)),
    fc.constant(
      operation('stat({ bigint: true }).size', async (handle) =>
        String((await handle.stat({ bigint: true })).size),
      ),
    ),
  );
}

export function writes(ranges: Ranges): fc.Arbitrary<Operation> {
  const at = orOwn(place(ranges));
  const data = fc
    .tuple(amount(ranges), fc.nat({ max: 999 }))
    .map(([bytes, seed]) => plainOf(bytes, `data ${seed}`));
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  return fc.oneof(
    fc.tuple(data, fc.nat({ max: 5 }), at).map(([bytes, offset, position]) =>
      operation(`write(${bytes.length} bytes from ${offset}, ${position})`, async (handle) => {
        const buffer = Buffer.concat([Buffer.alloc(offset), bytes]);
        const result = await handle.write(buffer, offset, bytes.length, position as number);
        return [result.bytesWritten, result.buffer === buffer];
      }),
    ),
    fc.tuple(data, at).map(([bytes, position]) =>
      operation(`write(${bytes.length} bytes, { position: ${position} })`, async (handle) => {
        const { bytesWritten } = await handle.write(bytes, { position: position as number });
        return bytesWritten;
      }),
    ),
    fc
      .tuple(text, at, fc.constantFrom('utf8' as const, 'latin1' as const, undefined))
      .map(([what, position, encoding]) =>
        operation(`write(${JSON.stringify(what)}, ${position}, ${encoding})`, async (handle) => {
          const result = await handle.write(what, position as number, encoding);
          return [result.bytesWritten, result.buffer];
        }),
      ),
    fc.tuple(fc.array(data, { maxLength: 4 }), at).map(([buffers, position]) =>
      operation(`writev([${buffers.map(({ length }) => length).join()}], ${position})`, async (handle) => {
        const result = await handle.writev(buffers, position as number);
        return [result.bytesWritten, result.buffers === buffers];
      }),
    ),
    data.map((bytes) => operation(`writeFile(${bytes.length} bytes)`, (handle) => handle.writeFile(bytes))),
    text.map((what) => operation(`writeFile(${JSON.stringify(what)})`, (handle) => handle.writeFile(what))),
    data.map((bytes) => operation(`appendFile(${bytes.length} bytes)`, (handle) => handle.appendFile(bytes))),
    place(ranges).map((size) => operation(`truncate(${size})`, (handle) => handle.truncate(size))),
    fc.constant(operation('truncate()', (handle) => handle.truncate())),
    fc.constant(operation('sync()', (handle) => handle.sync())),
    fc.constant(operation('datasync()', (handle) => handle.datasync())),
  );
}

/** Calls with what Node refuses. */
export const mistakes: fc.Arbitrary<Operation> = fc.constantFrom(
  ...(
    [
      ["read('text')", (handle) => handle.read('text' as never)],
      ['read(buffer, -1)', (handle) => handle.read(fresh(4), -1, 1, 0)],
      ['read(buffer, 0.5)', (handle) => handle.read(fresh(4), 0.5, 1, 0)],
      ['read(buffer, 0, 5)', (handle) => handle.read(fresh(4), 0, 5, 0)],
      ['read(buffer, 0, -1)', (handle) => handle.read(fresh(4), 0, -1, 0)],
      ['read(buffer, "0")', (handle) => handle.read(fresh(4), '0' as never, 1, 0)],
      ['read(empty, 0, 1)', (handle) => handle.read(Buffer.alloc(0), 0, 1, 0)],
      ['read({ buffer: 1 })', (handle) => handle.read({ buffer: 1 as never })],
      ['readv(1)', (handle) => handle.readv(1 as never)],
      ['readv([1])', (handle) => handle.readv([1] as never)],
      ['write(1)', (handle) => handle.write(1 as never)],
      ['write({})', (handle) => handle.write({} as never)],
      ['write(buffer, 5)', (handle) => handle.write(fresh(4), 5)],
      ['write(buffer, -1)', (handle) => handle.write(fresh(4), -1)],
      ['write(buffer, 0, 5)', (handle) => handle.write(fresh(4), 0, 5)],
      ['write(buffer, 0, -1)', (handle) => handle.write(fresh(4), 0, -1)],
      ['write(hex of half a byte)', (handle) => handle.write('abc', 0, 'hex')],
      ['writev(1)', (handle) => handle.writev(1 as never)],
      ['writeFile(1)', (handle) => handle.writeFile(1 as never)],
      ['readFile(unknown encoding)', (handle) => handle.readFile('nonsense' as never)],
      ['truncate("1")', (handle) => handle.truncate('1' as never)],
      ['truncate(1.5)', (handle) => handle.truncate(1.5)],
      ['chmod("9")', (handle) => handle.chmod('9')],
      ['chmod(undefined)', (handle) => handle.chmod(undefined as never)],
      ['chown("a", 1)', (handle) => handle.chown('a' as never, 1)],
      ['chown(-2, 1)', (handle) => handle.chown(-2, 1)],
      ['utimes("yesterday", 1)', (handle) => handle.utimes('yesterday', 1)],
      ['utimes(1, NaN)', (handle) => handle.utimes(1, Number.NaN)],
    ] as readonly (readonly [string, Operation['run']])[]
  ).map(([text, run]) => operation(text, run)),
);
