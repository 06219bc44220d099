/**
 * What the two generations of a keyring on the disk hold: for the proof that a key is gone. Nothing is verified, for what
 * counts is what is there, whoever wrote it.
 */

import type { KeyringContent } from './content.ts';
import type { KeyringFiles, StoredKeyring } from './files.ts';
import { decodeDocument } from './v1/document.ts';
import { Payload } from './v1/payload.ts';

export interface StoredGeneration {
  readonly name: 'keyring.json' | 'keyring.json.prev';
  /** Undefined when it cannot be read: then {@link failure} says why. */
  readonly content?: KeyringContent;
  readonly failure?: unknown;
}

/** Those that are there, the newer one first. Never fails. */
export async function storedGenerations(files: KeyringFiles): Promise<StoredGeneration[]> {
  const found = [
    await stored('keyring.json', () => files.read()),
    await stored('keyring.json.prev', () => files.readPrevious()),
  ];
  return found.filter((generation) => generation !== undefined);
}

async function stored(
  name: StoredGeneration['name'],
  read: () => Promise<StoredKeyring | undefined>,
): Promise<StoredGeneration | undefined> {
  try {
    const keyring = await read();
    if (keyring === undefined) return undefined;
    return { name, content: new Payload(decodeDocument(keyring.document).payload).content() };
  } catch (failure) {
    return { name, failure };
  }
}
