/** The header of one file under the primary volume key. */

import { constants } from 'node:fs';

import { bytesEqual } from '../bytes.ts';
import type { HeaderRegion } from '../envelope/region.ts';
import { magic, offsets, version } from '../envelope/v1/constants.ts';
import { hasErrno } from '../errno.ts';
import { VolsealError } from '../errors.ts';
import { lockHeader } from '../fs/file/environment.ts';
import { parseOpenFlags } from '../fs/handle/flags.ts';
import { findRegion } from '../fs/header/find-region.ts';
import {
  type HalfToWrite,
  isUnderOnly,
  isVolumeSlot,
  rewrapHalves,
  writeHalves,
} from '../fs/header/rewrap.ts';
import { journalPath } from '../fs/journal/read-journal.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { fileIdBytes, minProviderRegionBytes } from '../limits.ts';
import { readUpTo } from '../os/descriptor-bytes.ts';
import { isOfVolume } from './internals.ts';
import type { Pace } from './limits.ts';
import type { WalkedFile } from './walk.ts';

/** `gone`: there is no such file any more. */
export type HeaderOutcome =
  | { readonly kind: 'written' | 'current' | 'gone' }
  | { readonly kind: 'stranger'; readonly reason: string };

/** The primary volume key is another one than that of this run. */
export class PrimaryChanged extends Error {}

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;
const always = (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
/** As far as the file id reaches. */
const headBytes = offsets.fileId + fileIdBytes;
/** Two writes, each with its sync. */
const operationsOfWriting = 4;
const mostAttempts = 3;

/** A file as it was read. */
interface Read {
  readonly region: HeaderRegion;
  readonly outcome: HeaderOutcome | undefined;
}

export class HeaderRewrapper {
  headerBytesRead = 0;
  headerBytesWritten = 0;
  readonly #mounted: Mounted;
  readonly #pace: Pace;
  readonly #keyId: string;
  readonly #dryRun: boolean;
  /** Whether the file before needed nothing: then the next one is looked at as a whole before its lock is taken. */
  #expectsCurrent = false;

  /** @param keyId of the primary volume key */
  constructor(mounted: Mounted, keyId: string, pace: Pace, dryRun: boolean) {
    this.#mounted = mounted;
    this.#keyId = keyId;
    this.#pace = pace;
    this.#dryRun = dryRun;
    this.#expectsCurrent = dryRun;
  }

  /**
   * @throws {PrimaryChanged}; VolsealError as opening the header does; errors of the system, EBUSY among them when the header
   *   stays locked
   */
  async rewrap(file: WalkedFile): Promise<HeaderOutcome> {
    await this.#pace.take(1);
    const { system } = this.#mounted;
    let fd: number;
    try {
      fd = await system.open(file.systemPath, (this.#dryRun ? O_RDONLY : O_RDWR) | always);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'EISDIR')) return { kind: 'gone' };
      throw error;
    }
    try {
      return await this.#rewrapOpen(fd, file);
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_NOT_SEALED') throw error;
      return { kind: 'stranger', reason: 'not sealed' };
    } finally {
      await system.close(fd).catch(() => {});
    }
  }

  async #rewrapOpen(fd: number, file: WalkedFile): Promise<HeaderOutcome> {
    let fileId = this.#expectsCurrent ? undefined : await this.#fileIdAtStart(fd);
    for (let attempt = 1; ; attempt++) {
      if (fileId === undefined) {
        const { outcome, region } = await this.#read(fd);
        this.#expectsCurrent = this.#dryRun || outcome !== undefined;
        if (outcome !== undefined) return outcome;
        if (this.#dryRun) return { kind: 'written' };
        fileId = region.header.fileId;
      }
      const outcome = await this.#underLock(fd, fileId, file);
      if (outcome !== undefined) return outcome;
      // It is another file by now, or was recovered.
      if (attempt === mostAttempts) throw conflict();
      fileId = undefined;
    }
  }

  /** Of a file whose first half can be read. It is verified under the lock. */
  async #fileIdAtStart(fd: number): Promise<Uint8Array | undefined> {
    const head = await readUpTo(this.#mounted.system, fd, new Uint8Array(headBytes), 0);
    this.headerBytesRead += head.length;
    const known = Uint8Array.of(...magic, 0, version, 0);
    if (head.length < headBytes || !bytesEqual(head.subarray(0, known.length), known)) return undefined;
    return head.slice(offsets.fileId);
  }

  async #read(fd: number): Promise<Read> {
    const { environment, system } = this.#mounted;
    const start = await readUpTo(system, fd, new Uint8Array(minProviderRegionBytes), 0);
    this.headerBytesRead += start.length;
    const region = await findRegion(system, fd, start);
    if (region.regionBytes > start.length) this.headerBytesRead += region.regionBytes;
    return { region, outcome: outcomeOf(region, environment.keyring.volumeId, this.#keyId) };
  }

  /** Undefined when it has to be looked at again. */
  async #underLock(fd: number, fileId: Uint8Array, file: WalkedFile): Promise<HeaderOutcome | undefined> {
    const { environment, system } = this.#mounted;
    const lock = await lockHeader(environment, fileId, file.path);
    try {
      const { outcome, region } = await this.#read(fd);
      if (!bytesEqual(region.header.fileId, fileId)) return undefined;
      this.#expectsCurrent = outcome !== undefined;
      if (outcome !== undefined) return outcome;
      if (!(await this.#needsRecovery(region))) {
        const halves = await this.#halves(region);
        await this.#pace.take(operationsOfWriting);
        await writeHalves(system, fd, halves, environment.durability === 'sync');
        for (const { bytes } of halves) this.headerBytesWritten += bytes.length;
        return { kind: 'written' };
      }
    } finally {
      await lock.release();
    }
    await this.#recover(file);
    return undefined;
  }

  /**
   * Of a mutable file with a damaged half the other one may be behind its journal: repaired from that, it would look as if it had
   * been put back. Whoever opens it for writing makes it whole first.
   */
  async #needsRecovery({ goodCopies, header }: HeaderRegion): Promise<boolean> {
    if (goodCopies.length === 2) return false;
    const { environment, system } = this.#mounted;
    return system.lstat(journalPath(environment.journalDirectory, header.fileId)).then(
      () => true,
      (error: unknown) => {
        if (hasErrno(error, 'ENOENT')) return false;
        throw error;
      },
    );
  }

  async #recover({ path, systemPath }: WalkedFile): Promise<void> {
    const flags = parseOpenFlags('r+');
    const lease = await this.#mounted.files.open(systemPath, { flags, mode: 0o600, path });
    await lease.release();
  }

  async #halves(region: HeaderRegion): Promise<HalfToWrite[]> {
    const { keyring } = this.#mounted.environment;
    try {
      this.#checkPrimary();
      return rewrapHalves(keyring, region, this.#keyId);
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_KEYRING_ROLLED_BACK') throw error;
      // Another process may have added it.
      await keyring.reload();
      this.#checkPrimary();
      return rewrapHalves(keyring, region, this.#keyId);
    }
  }

  #checkPrimary(): void {
    if (this.#mounted.environment.keyring.primary.keyId !== this.#keyId) throw new PrimaryChanged();
  }
}

/** Undefined for a header that has to be written. */
function outcomeOf(region: HeaderRegion, volumeId: Uint8Array, keyId: string): HeaderOutcome | undefined {
  if (isUnderOnly(region, keyId)) return { kind: 'current' };
  const slots = region.goodCopies.flatMap((copy) => copy.slots).filter(isVolumeSlot);
  if (slots.some(({ wrapped }) => isOfVolume(volumeId, wrapped.keyId))) return undefined;
  const reason =
    slots.length === 0
      ? 'sealed by itself, not in this volume: its keys are in its own header'
      : 'sealed in another volume';
  return { kind: 'stranger', reason };
}

function conflict(): VolsealError {
  return new VolsealError('ERR_VOLSEAL_HEADER_CONFLICT', 'its header changed all the time', {
    hint: 'something other than volseal writes to the file; try again when that has ended',
  });
}
