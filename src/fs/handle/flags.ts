/** The flags of `open`, as `node:fs` takes them. */

import { constants } from 'node:fs';

import { errnoError } from '../../errno.ts';
import { argumentType, argumentValue, checkInteger } from './argument-errors.ts';

/** What the flags of one `open` ask for. */
export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  /** Every write goes to the end, whatever position it names. */
  readonly append: boolean;
  readonly create: boolean;
  /** With {@link create}: the name must be free. */
  readonly exclusive: boolean;
  readonly truncate: boolean;
  /** Every write is synced before it is done. */
  readonly syncEachWrite: boolean;
  /** Flags of the system that are given to its `open` as they are. */
  readonly passedOn: number;
}

// Where the system has no such flag it is undefined, which counts as 0 below.
const {
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,
  O_SYNC,
  O_DSYNC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NOATIME,
  O_NOCTTY,
  O_NONBLOCK,
} = constants;

const byName: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  'r+': O_RDWR,
  'rs+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY,
  wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR,
  'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY,
  ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR,
  'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};

/** Node takes the second letter first too: `xw+` is `wx+`. */
function numberOf(name: string): number | undefined {
  const [first = '', second = ''] = name;
  const canonical = first === 's' || first === 'x' ? second + first + name.slice(2) : name;
  return Object.hasOwn(byName, canonical) ? byName[canonical] : undefined;
}

const accessMode = O_RDONLY | O_WRONLY | O_RDWR;
const synced = O_SYNC | O_DSYNC;
const passable = O_DIRECTORY | O_NOFOLLOW | O_NOATIME;
/** Of no meaning for regular files. */
const ignored = O_NOCTTY | O_NONBLOCK;
const known = accessMode | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | synced | passable | ignored;

/**
 * Reads flags: a name such as `'r+'`, a number made of `fs.constants.O_*`, or nothing for `'r'`.
 * @throws `ERR_INVALID_ARG_VALUE` for a name, `ERR_OUT_OF_RANGE` for a number Node refuses, errno EINVAL for a flag that
 *   sealed files cannot have (`O_DIRECT`, `O_TMPFILE`)
 */
export function parseOpenFlags(flags?: string | number | null): OpenFlags {
  const bits = bitsOf(flags);
  const access = bits & accessMode;
  if ((bits & ~known) !== 0 || access === accessMode) {
    throw errnoError('EINVAL', 'open', undefined, undefined, {
      detail: `flags 0x${(bits >>> 0).toString(16)} are not possible on a volume`,
    });
  }
  return {
    read: access !== O_WRONLY,
    write: access !== O_RDONLY,
    append: (bits & O_APPEND) !== 0,
    create: (bits & O_CREAT) !== 0,
    exclusive: (bits & O_CREAT) !== 0 && (bits & O_EXCL) !== 0,
    truncate: (bits & O_TRUNC) !== 0,
    syncEachWrite: (bits & synced) !== 0,
    passedOn: bits & passable,
  };
}

function bitsOf(flags: unknown): number {
  if (flags === undefined || flags === null) return O_RDONLY;
  if (typeof flags === 'number') return checkInteger('flags', flags, -(2 ** 31), 2 ** 31 - 1);
  const bits = typeof flags === 'string' ? numberOf(flags) : undefined;
  if (bits !== undefined) return bits;
  throw argumentValue('flags', typeof flags === 'string' ? `'${flags.slice(0, 28)}'` : `a ${typeof flags}`);
}

/**
 * Permission bits: a number, or octal digits.
 * @throws `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
 */
export function parseMode(mode: unknown, missing?: number): number {
  const value = mode ?? missing;
  if (typeof value === 'number') return checkInteger('mode', value, 0, 2 ** 32 - 1);
  if (typeof value !== 'string') throw argumentType('mode', 'of type number', value);
  if (/^[0-7]+$/.test(value)) return checkInteger('mode', Number.parseInt(value, 8), 0, 2 ** 32 - 1);
  throw argumentValue(
    'mode',
    `'${value.slice(0, 28)}'`,
    'must be a 32-bit unsigned integer or an octal string',
  );
}
