/**
 * The keyring of a volume, unlocked: it wraps and unwraps the data keys of files without asking a provider again
 * (docs/format/keyring-v1.md).
 */

import { bytesEqual } from '../bytes.ts';
import type { Slot } from '../envelope/v1/slot.ts';
import { VolsealError } from '../errors.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { invalidArgument } from '../options.ts';
import type { System } from '../os/system.ts';
import type { Secret } from '../secret.ts';
import { publishWarning } from '../trace.ts';
import type { Change, Changed } from './changes.ts';
import type { VolumePolicy } from './content.ts';
import { KeyringFiles, type Owner } from './files.ts';
import { checkFloors, checkNotSeenNewer, rememberGeneration, seenGenerations } from './generations.ts';
import { describeKeyring, type KeyringInfo } from './info.ts';
import { drawKeyring, type NewKeyringOptions } from './new-keyring.ts';
import { checkSameVolume, openDocument, type OpenedKeyring, sealDocument } from './opened.ts';
import { type StoredGeneration, storedGenerations } from './stored-generations.ts';
import { VolumeKeys } from './volume-keys.ts';

export type { VolumePolicy } from './content.ts';
export type { Owner } from './files.ts';
export type { KeyringInfo } from './info.ts';

/** Runs something while no other process changes the keyring of this volume. */
export type WithLock = <T>(run: () => Promise<T>) => Promise<T>;

export interface KeyringCreateOptions extends NewKeyringOptions {
  readonly owner?: Owner | undefined;
  /** Needed for {@link Keyring.change}. */
  readonly withLock?: WithLock | undefined;
}

export interface KeyringOpenOptions {
  /** Stay the caller's, and are asked again when the keyring key has changed on the disk. */
  readonly providers: readonly KeyProvider[];
  /** 32 hexadecimal digits. */
  readonly expectVolumeId?: string | undefined;
  /** The lowest generation that is accepted; beside `$VOLSEAL_KEYRING_MIN`. */
  readonly minGeneration?: number | undefined;
  readonly readonly?: boolean | undefined;
  readonly owner?: Owner | undefined;
  /** Needed for {@link Keyring.change}. */
  readonly withLock?: WithLock | undefined;
}

interface Place {
  readonly system: System;
  readonly files: KeyringFiles;
  readonly options: KeyringOpenOptions;
}

export class Keyring {
  /** 16 bytes. */
  readonly volumeId: Uint8Array;
  readonly #place: Place;
  #opened: OpenedKeyring;
  #keys: VolumeKeys;
  #stamp: string;
  #reading: Promise<void> | undefined;
  #nextReading: Promise<void> | undefined;
  #closed = false;

  private constructor(place: Place, opened: OpenedKeyring, stamp: string) {
    this.#place = place;
    this.volumeId = opened.content.volumeId;
    this.#opened = opened;
    this.#keys = volumeKeysOf(opened);
    this.#stamp = stamp;
    rememberGeneration(place.system, this.volumeId, opened.content.generation, opened.mac);
  }

  /**
   * Makes the keyring of a new volume, with its directory. The text of the recovery key is given here and never again.
   * @param directory the absolute path of `.volseal`
   * @throws VolsealError `ERR_VOLSEAL_VOLUME_EXISTS`, `ERR_VOLSEAL_INVALID_ARGUMENT`, what providers throw and what the system says
   */
  static async create(
    system: System,
    directory: string,
    options: KeyringCreateOptions,
  ): Promise<{ keyring: Keyring; recoveryKey?: string }> {
    const { opened, recoveryKey } = await drawKeyring(options);
    try {
      const files = new KeyringFiles(system, directory, options.owner);
      await files.make(opened.document);
      const { providers, owner, withLock } = options;
      const place = { system, files, options: { providers, owner, withLock } };
      const keyring = new Keyring(place, opened, await files.stamp());
      return recoveryKey === undefined ? { keyring } : { keyring, recoveryKey };
    } catch (error) {
      opened.key.wipe();
      throw error;
    }
  }

  /**
   * Reads, verifies and unlocks the keyring. Warns on `volseal:warning` when there is no recovery key.
   * @param directory the absolute path of `.volseal`
   * @throws VolsealError `ERR_VOLSEAL_KEYRING_MISSING`, `ERR_VOLSEAL_KEYRING_ROLLED_BACK` and what {@link openDocument}
   *   throws; and what the system says
   */
  static async open(system: System, directory: string, options: KeyringOpenOptions): Promise<Keyring> {
    const { expectVolumeId, minGeneration } = options;
    if (expectVolumeId !== undefined && !/^[0-9a-f]{32}$/i.test(expectVolumeId)) {
      throw invalidArgument('expectVolumeId must be the 32 hexadecimal digits of a volume id');
    }
    const files = new KeyringFiles(system, directory, options.owner);
    const seen = seenGenerations(system);
    const stored = await files.read();
    const opened = await openDocument(stored.document, { providers: options.providers, expectVolumeId });
    try {
      const { volumeId, generation } = opened.content;
      checkFloors(volumeId, generation, minGeneration);
      checkNotSeenNewer(seen, volumeId, generation, opened.mac);
      const keyring = new Keyring({ system, files, options }, opened, stored.stamp);
      warnWithoutRecovery(keyring, files.path);
      return keyring;
    } catch (error) {
      opened.key.wipe();
      throw error;
    }
  }

  get generation(): number {
    return this.#opened.content.generation;
  }

  get policy(): VolumePolicy {
    return this.#opened.content.policy;
  }

  /** Those that it was opened with. */
  get providers(): readonly KeyProvider[] {
    return this.#place.options.providers;
  }

  /** The volume key that wraps. */
  get primary(): { readonly keyId: string; readonly version: number } {
    return this.#keys.primary;
  }

  /** Whether there are volume keys that only open, or are put away: files may need them. */
  get hasOlderKeys(): boolean {
    return this.#opened.content.volumeKeys.some(({ state }) => state === 'active' || state === 'disabled');
  }

  /** What lies on the disk, read now and not verified: which keys each generation holds. */
  storedGenerations(): Promise<StoredGeneration[]> {
    return storedGenerations(this.#place.files);
  }

  info(): KeyringInfo {
    return describeKeyring(this.#opened.content);
  }

  /** A slot of the primary volume key, for the header of a new file. */
  wrapDataKey(dataKey: Secret, fileId: Uint8Array, floeHeader: Uint8Array): Slot {
    this.#checkOpen();
    return this.#keys.wrapDataKey(dataKey, fileId, floeHeader);
  }

  /**
   * The data key out of the first of these slots that a volume key opens.
   * @throws VolsealError `ERR_VOLSEAL_KEYRING_ROLLED_BACK` when the file names a volume key that the keyring does not know (it
   *   may have been made since: {@link reload}), `ERR_VOLSEAL_KEY_MISSING`, `ERR_VOLSEAL_WRONG_KEY`
   */
  unwrapDataKey(slots: readonly Slot[], fileId: Uint8Array, floeHeader: Uint8Array): Secret {
    this.#checkOpen();
    return this.#keys.unwrapDataKey(slots, fileId, floeHeader);
  }

  /** Reads the keyring again when it was replaced: one `stat` in the common case. */
  async refresh(): Promise<void> {
    this.#checkOpen();
    if ((await this.#place.files.stamp()) !== this.#stamp) await this.reload();
  }

  /**
   * Reads the keyring again. What was known stays in use when that fails.
   * @throws VolsealError as {@link Keyring.open}, and `ERR_VOLSEAL_VOLUME_MISMATCH` for the keyring of another volume
   */
  reload(): Promise<void> {
    // One that runs already may have read before that happened which the caller wants to see; all who wait share the next.
    this.#nextReading ??= (async () => {
      await this.#reading?.catch(() => {});
      this.#nextReading = undefined;
      this.#reading = this.#readAgain();
      return this.#reading;
    })();
    return this.#nextReading;
  }

  async #readAgain(): Promise<void> {
    const { system, files, options } = this.#place;
    this.#checkOpen();
    const seen = seenGenerations(system);
    const stored = await files.read();
    this.#checkOpen();
    if (bytesEqual(stored.document, this.#opened.document)) {
      this.#stamp = stored.stamp;
      return;
    }
    const { key } = this.#opened;
    const opened = await openDocument(stored.document, { providers: options.providers, key });
    try {
      const { content, mac } = opened;
      checkSameVolume(this.#opened.content, content);
      checkFloors(this.volumeId, content.generation, options.minGeneration);
      checkNotSeenNewer(seen, this.volumeId, content.generation, mac);
      this.#checkOpen();
      // A change of our own may have been faster.
      if (content.generation > this.generation) this.#adopt(opened, stored.stamp);
    } finally {
      if (this.#opened.key !== opened.key && key !== opened.key) opened.key.wipe();
    }
  }

  #adopt(opened: OpenedKeyring, stamp: string): void {
    const before = this.#opened;
    const keysBefore = this.#keys;
    this.#keys = volumeKeysOf(opened);
    this.#opened = opened;
    this.#stamp = stamp;
    rememberGeneration(this.#place.system, this.volumeId, opened.content.generation, opened.mac);
    keysBefore.wipe();
    if (before.key !== opened.key) before.key.wipe();
  }

  /**
   * Changes the keyring: under the lock, from what is on the disk now, with a new generation. A change that takes a key away
   * is written twice, so that the previous generation does not hold it either.
   */
  async change(change: Change): Promise<void> {
    await this.locked(async () => {
      await this.reload();
      const { content, key } = this.#opened;
      const now = new Date().toISOString();
      let changed: Changed | undefined;
      try {
        changed = await change({ content, key, now, providers: this.#place.options.providers });
        await this.#write(changed, now);
        if (changed.removes) await this.#write({ ...changed, content: this.#opened.content }, now);
      } catch (error) {
        if (changed !== undefined && changed.key !== this.#opened.key) changed.key.wipe();
        this.#checkOpen(); // keys that were wiped under a change look like a defect of ours
        throw error;
      }
    });
  }

  /**
   * Runs something while nobody else changes the keyring.
   * @throws VolsealError `ERR_VOLSEAL_PERMISSION` when it was opened read-only, and what the lock throws
   */
  async locked<T>(run: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    const { withLock, readonly } = this.#place.options;
    if (readonly === true) {
      throw new VolsealError('ERR_VOLSEAL_PERMISSION', 'the volume was opened read-only', {
        hint: 'open it for writing to change its keyring',
      });
    }
    if (withLock === undefined)
      throw invalidArgument('a keyring is changed under a lock only: give withLock');
    return withLock(run);
  }

  async #write({ content, key }: Changed, now: string): Promise<void> {
    const { files } = this.#place;
    const before = this.#opened;
    const generation = before.content.generation + 1;
    const opened = sealDocument({ ...content, generation, changed: now }, key);
    volumeKeysOf(opened).wipe(); // or it does not open
    await files.replace(opened.document, before.document);
    this.#checkOpen();
    this.#adopt(opened, await files.stamp());
  }

  /** An offline copy: the sealed document as it is stored. With a key of one of its slots it opens the volume again. */
  export(): Uint8Array {
    this.#checkOpen();
    return Uint8Array.from(this.#opened.document);
  }

  /** Wipes every key. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#keys.wipe();
    this.#opened.key.wipe();
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new VolsealError('ERR_VOLSEAL_CLOSED', 'the keyring was closed', { hint: 'open the volume again' });
  }
}

function volumeKeysOf({ content, key }: OpenedKeyring): VolumeKeys {
  return new VolumeKeys(content, (record) => key.openVolumeKey(content.volumeId, record));
}

function warnWithoutRecovery(keyring: Keyring, path: string): void {
  if (keyring.info().recovery) return;
  publishWarning({
    code: 'no-recovery-key',
    message:
      'the volume has no recovery key: if its secret is lost, so is everything on it; make one: volseal recovery create',
    path,
  });
}
