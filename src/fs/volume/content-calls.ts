/** `readFile`, `writeFile`, `appendFile` and `truncate`: their options, and which way the content takes. */

import { invalidArgument } from '../../options.ts';
import { checkInteger } from '../handle/argument-errors.ts';
import { parseMode, parseOpenFlags } from '../handle/flags.ts';
import { checkEncoding, optionalBoolean, optionalSignal, optionsObject } from './call-options.ts';
import { contextOptionNames, type Demand, demandOf } from './context.ts';
import type { WritableData } from './data.ts';
import { changes, withHandle } from './handles.ts';
import { isDurable, type Mounted } from './mounted.ts';
import type { Operations } from './operations.ts';
import { readWholeFile } from './read-file.ts';
import { writeWholeFile } from './write-file.ts';

export const readFileOptionNames: readonly string[] = ['encoding', 'flag', 'signal', ...contextOptionNames];
export const writeFileOptionNames: readonly string[] = [
  'encoding',
  'mode',
  'flag',
  'flush',
  'immutable',
  'signal',
  ...contextOptionNames,
];
const appendFileOptionNames = writeFileOptionNames.filter((name) => name !== 'immutable');

/** The volume, and the gate its calls go through. */
export interface Caller {
  readonly mounted: Mounted;
  readonly operations: Operations;
}

export async function readFileCall(
  { mounted, operations }: Caller,
  path: unknown,
  options: unknown,
): Promise<string | Buffer> {
  const given = optionsObject('readFile', options, readFileOptionNames);
  const encoding = checkEncoding(given['encoding']);
  const signal = optionalSignal(given['signal']);
  const flags = parseOpenFlags(given['flag'] as string | undefined);
  const changing = changes(flags);
  const content = await operations.run({ syscall: 'open', path, changes: changing }, async (text) => {
    const demand = demandOf(mounted, given);
    if (!changing && flags.passedOn === 0) return readWholeFile(mounted, { path: text, demand, signal });
    const request = { flags, mode: 0o666, demand };
    return withHandle(mounted, text, request, (handle) =>
      handle.readFile(signal === undefined ? {} : { signal }),
    );
  });
  return encoding === undefined ? content : content.toString(encoding);
}

interface WriteOptions {
  readonly encoding: BufferEncoding | undefined;
  readonly mode: number;
  readonly flush: boolean;
  readonly immutable: boolean;
  readonly signal: AbortSignal | undefined;
}

function writeOptionsOf(given: Readonly<Record<string, unknown>>): WriteOptions {
  return {
    encoding: checkEncoding(given['encoding']),
    mode: parseMode(given['mode'], 0o666),
    flush: optionalBoolean('flush', given['flush']),
    immutable: optionalBoolean('immutable', given['immutable']),
    signal: optionalSignal(given['signal']),
  };
}

export async function writeFileCall(
  { mounted, operations }: Caller,
  path: unknown,
  data: WritableData,
  options: unknown,
): Promise<void> {
  const given = optionsObject('writeFile', options, writeFileOptionNames);
  const flags = parseOpenFlags((given['flag'] ?? 'w') as string);
  const { encoding, flush, immutable, mode, signal } = writeOptionsOf(given);
  const replaces = flags.create && flags.truncate && !flags.append && flags.passedOn === 0;
  if (immutable && !replaces) {
    throw invalidArgument('a write-once file is written as a whole', 'leave out flag, or use w or wx');
  }
  await operations.run({ syscall: 'open', path, changes: true }, async (text) => {
    const demand = demandOf(mounted, given);
    if (!replaces) return writeThrough(mounted, text, data, { ...given, flags, demand });
    return writeWholeFile(mounted, text, data, {
      immutable,
      context: demand.context,
      mode,
      durable: flush || isDurable(mounted),
      exclusive: flags.exclusive,
      encoding,
      signal,
    });
  });
}

export async function appendFileCall(
  { mounted, operations }: Caller,
  path: unknown,
  data: WritableData,
  options: unknown,
): Promise<void> {
  const given = optionsObject('appendFile', options, appendFileOptionNames);
  const flags = parseOpenFlags((given['flag'] ?? 'a') as string);
  writeOptionsOf(given);
  await operations.run({ syscall: 'open', path, changes: true }, async (text) =>
    writeThrough(mounted, text, data, { ...given, flags, demand: demandOf(mounted, given) }),
  );
}

/** Into the file that is there, not in one step. */
async function writeThrough(
  mounted: Mounted,
  path: string,
  data: WritableData,
  request: Readonly<Record<string, unknown>> & {
    flags: ReturnType<typeof parseOpenFlags>;
    demand: Demand;
  },
): Promise<void> {
  const { demand, flags } = request;
  const { encoding, flush, mode, signal } = writeOptionsOf(request);
  await withHandle(mounted, path, { flags, mode, demand }, (handle) =>
    handle.writeFile(data, { encoding, flush, ...(signal === undefined ? {} : { signal }) }),
  );
}

export async function truncateCall(
  { mounted, operations }: Caller,
  path: unknown,
  length: unknown,
): Promise<void> {
  const plainBytes = Math.max(0, checkInteger('len', length ?? 0));
  await operations.run({ syscall: 'open', path, changes: true }, async (text) => {
    // It reads nothing out and brings nothing in: no context is asked for.
    const request = {
      flags: parseOpenFlags('r+'),
      mode: 0,
      demand: { context: undefined, exact: false },
    };
    await withHandle(mounted, text, request, (handle) => handle.truncate(plainBytes));
  });
}
