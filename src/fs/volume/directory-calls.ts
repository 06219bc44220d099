/** `readdir` and `opendir`: their options, and the forms of what they give. */

import type { Dirent } from 'node:fs';

import { encodedName, optionalBoolean, optionalInteger, optionsObject } from './call-options.ts';
import type { Caller } from './content-calls.ts';
import { VolumeDirectory } from './directory-stream.ts';
import { type ListedEntry, listDirectory, toDirent } from './listing.ts';

export async function readdirCall(
  { mounted, operations }: Caller,
  path: unknown,
  options: unknown,
): Promise<(string | Buffer | Dirent)[]> {
  const given = optionsObject('readdir', options, ['encoding', 'withFileTypes', 'recursive']);
  const { encoding } = given;
  encodedName('', encoding);
  const recursive = optionalBoolean('options.recursive', given['recursive']);
  const withFileTypes = optionalBoolean('options.withFileTypes', given['withFileTypes']);
  return operations.run({ syscall: 'scandir', path, changes: false }, async (text) => {
    const listed = await listDirectory(mounted, text, recursive);
    return listed.map((entry) =>
      withFileTypes
        ? encodedDirent(toDirent(text, entry), encoding)
        : encodedName(pathBelow(entry), encoding),
    );
  });
}

function pathBelow({ below, name }: ListedEntry): string {
  return below === '' ? name : `${below}/${name}`;
}

function encodedDirent(entry: Dirent, encoding: unknown): Dirent {
  const name = encodedName(entry.name, encoding);
  if (name !== entry.name) (entry as { name: string | Buffer }).name = name;
  return entry;
}

export async function opendirCall(
  { mounted, operations }: Caller,
  path: unknown,
  options: unknown,
): Promise<VolumeDirectory> {
  const given = optionsObject('opendir', options, ['encoding', 'bufferSize', 'recursive']);
  const { encoding } = given;
  encodedName('', encoding);
  optionalInteger('options.bufferSize', given['bufferSize'], 1, 32);
  const recursive = optionalBoolean('options.recursive', given['recursive']);
  return operations.run({ syscall: 'opendir', path, changes: false }, async (text) => {
    const listed = await listDirectory(mounted, text, recursive);
    return new VolumeDirectory(
      text,
      listed.map((entry) => encodedDirent(toDirent(text, entry), encoding)),
    );
  });
}
