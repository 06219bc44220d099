/** Putting an exported keyring back. */

import { bytesEqual, hex } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import type { KeyProvider } from '../kms/provider.ts';
import type { System } from '../os/system.ts';
import { KeyringFiles, type Owner, type StoredKeyring } from './files.ts';
import { checkFloors, forgetGeneration, rememberGeneration } from './generations.ts';
import { describeKeyring, type KeyringInfo } from './info.ts';
import type { WithLock } from './keyring.ts';
import { openDocument, type OpenedKeyring } from './opened.ts';
import { VolumeKeys } from './volume-keys.ts';

export interface KeyringRestoreOptions {
  readonly providers: readonly KeyProvider[];
  readonly withLock: WithLock;
  /** Replace a keyring of another volume, a newer one, and one that does not open. */
  readonly force?: boolean | undefined;
  readonly owner?: Owner | undefined;
  readonly expectVolumeId?: string | undefined;
  readonly minGeneration?: number | undefined;
}

/**
 * Makes an export the keyring of a volume. It has to open with the given keys; what it replaces is kept as
 * `keyring.json.prev`. What was sealed under volume keys made since the export cannot be opened with it.
 * @param directory the absolute path of `.volseal`; made when it is missing
 * @throws VolsealError what {@link openDocument} throws for the export; `ERR_VOLSEAL_VOLUME_MISMATCH`,
 *   `ERR_VOLSEAL_KEYRING_ROLLED_BACK` and `ERR_VOLSEAL_VOLUME_EXISTS` for what only `force` replaces
 */
export async function restoreKeyring(
  system: System,
  directory: string,
  document: Uint8Array,
  options: KeyringRestoreOptions,
): Promise<KeyringInfo> {
  const { providers, expectVolumeId, minGeneration, force, withLock } = options;
  const opened = await openDocument(document, { providers, expectVolumeId });
  try {
    const { volumeId, generation } = opened.content;
    checkFloors(volumeId, generation, minGeneration);
    const open = opened.key.openVolumeKey.bind(opened.key, volumeId);
    new VolumeKeys(opened.content, open).wipe(); // or its primary key does not open
    const files = new KeyringFiles(system, directory, options.owner);
    await files.makeDirectory(); // the lock lies in it
    await withLock(async () => {
      const current = await readCurrent(files, force === true);
      if (current === undefined) return files.make(document);
      if (current.document !== undefined) {
        if (bytesEqual(current.document, document)) return;
        if (force !== true) await checkReplaceable(current.document, opened, providers);
      }
      await files.replace(document, current.document);
    });
    if (force === true) forgetGeneration(system, volumeId);
    rememberGeneration(system, volumeId, generation, opened.mac);
    return describeKeyring(opened.content);
  } finally {
    opened.key.wipe();
  }
}

/** Undefined when there is none; without a document when it cannot even be read as a file of its size. */
async function readCurrent(files: KeyringFiles, force: boolean): Promise<Partial<StoredKeyring> | undefined> {
  try {
    return await files.readIfThere();
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_KEYRING_INVALID') throw error;
    if (force) return {};
    throw inTheWay(error);
  }
}

async function checkReplaceable(
  document: Uint8Array,
  replacement: OpenedKeyring,
  providers: readonly KeyProvider[],
): Promise<void> {
  let current: OpenedKeyring;
  try {
    current = await openDocument(document, { providers, key: replacement.key });
  } catch (error) {
    throw inTheWay(error);
  }
  if (current.key !== replacement.key) current.key.wipe();
  const [old, fresh] = [current.content, replacement.content];
  if (!bytesEqual(old.volumeId, fresh.volumeId)) {
    throw new VolsealError(
      'ERR_VOLSEAL_VOLUME_MISMATCH',
      `here is the keyring of the volume ${hex(old.volumeId)}, and the export is of ${hex(fresh.volumeId)}`,
      { hint: 'find the export of this volume; --force replaces the keyring, and no file here will open' },
    );
  }
  if (old.generation >= fresh.generation) {
    throw new VolsealError(
      'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
      `the keyring here is at generation ${old.generation}, and the export at ${fresh.generation}`,
      { hint: 'keep the newer one; --force puts the older one back, with every key that was retired since' },
    );
  }
}

function inTheWay(cause: unknown): VolsealError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new VolsealError(
    'ERR_VOLSEAL_VOLUME_EXISTS',
    `there is a keyring already, and it does not open here, so that it may be a better one: ${why}`,
    { hint: 'when it is of no more use, replace it with --force', cause },
  );
}
