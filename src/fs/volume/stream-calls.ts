/** `createReadStream` and `createWriteStream` by path: their options, and which kind of stream does it. */

import { invalidArgument } from '../../options.ts';
import { type OpenFlags, parseMode, parseOpenFlags } from '../handle/flags.ts';
import {
  createReadStream,
  type ReadStreamOptions,
  readStreamOptionNames,
  type VolumeReadStream,
} from '../handle/read-stream.ts';
import type { StreamFile } from '../handle/stream-handle.ts';
import {
  checkWriteStreamOptions,
  createWriteStream,
  type VolumeWriteStream,
  type WriteStreamOptions,
  writeStreamOptionNames,
} from '../handle/write-stream.ts';
import { checkEncoding, optionalBoolean, optionsObject } from './call-options.ts';
import type { Caller } from './content-calls.ts';
import { type ContextOptions, contextOptionNames, demandOf } from './context.ts';
import { changes, openHandle } from './handles.ts';
import { isDurable } from './mounted.ts';
import { pathText } from './path-rules.ts';
import { newContentStream, type NewContentStream } from './write-stream.ts';

const ownNames = ['flags', 'mode', ...contextOptionNames] as const;
const readNames = [...readStreamOptionNames, ...ownNames] as const;
const writeNames = [...writeStreamOptionNames, 'immutable', ...ownNames] as const;

/** Bytes that wait for the disk before `write` returns false: a batch is written at a time. */
const defaultHighWaterMark = 1_048_576;

type Given = Readonly<Record<string, unknown>>;

/** The options that the streams of handles know. */
function handleOptions(given: Given): ReadStreamOptions & WriteStreamOptions {
  const own: readonly string[] = [...ownNames, 'immutable'];
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => !own.includes(name) && value !== undefined),
  );
}

/** A file that a stream opens when it is constructed. */
function fileOf({ mounted, operations }: Caller, path: string, flags: OpenFlags, given: Given): StreamFile {
  const mode = parseMode(given['mode'], 0o666);
  return {
    path,
    open: () =>
      operations.run({ syscall: 'open', path, changes: changes(flags) }, (text) =>
        openHandle(mounted, text, { flags, mode, demand: demandOf(mounted, given as ContextOptions) }),
      ),
  };
}

export function readStreamCall(caller: Caller, path: unknown, options: unknown): VolumeReadStream {
  const given = optionsObject('createReadStream', options, readNames);
  const flags = parseOpenFlags(given['flags'] as string | undefined);
  const text = pathText(path);
  // From its beginning, unless told otherwise: the handle is the stream's own.
  return createReadStream('createReadStream', fileOf(caller, text, flags, given), handleOptions(given));
}

export function writeStreamCall(
  caller: Caller,
  path: unknown,
  options: unknown,
): NewContentStream | VolumeWriteStream {
  const given = optionsObject('createWriteStream', options, writeNames);
  const flags = parseOpenFlags((given['flags'] ?? 'w') as string);
  const text = pathText(path);
  const plain = handleOptions(given);
  checkWriteStreamOptions('createWriteStream', plain);
  const immutable = optionalBoolean('immutable', given['immutable']);
  const replaces = flags.create && flags.truncate && !flags.append && flags.passedOn === 0;
  if (!replaces || (plain.start ?? 0) > 0) {
    if (immutable) {
      throw invalidArgument(
        'a write-once file is written as a whole',
        'leave out start, and flags other than w',
      );
    }
    return createWriteStream('createWriteStream', fileOf(caller, text, flags, given), plain);
  }
  const { mounted, operations } = caller;
  return newContentStream(
    mounted,
    text,
    {
      immutable,
      exclusive: flags.exclusive,
      mode: parseMode(given['mode'], 0o666),
      durable: plain.flush === true || isDurable(mounted),
      encoding: checkEncoding(plain.encoding),
      highWaterMark: plain.highWaterMark ?? defaultHighWaterMark,
      emitClose: plain.emitClose ?? true,
      signal: plain.signal,
    },
    (work) =>
      operations.run({ syscall: 'open', path: text, changes: true }, () =>
        work(demandOf(mounted, given as ContextOptions).context),
      ),
  );
}
