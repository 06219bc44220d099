/** The verified header of one regular file of a volume, of either body kind (docs/format/v1.md §3 and §7). */

import type { BodyUse, Suite } from '../../aead/suite.ts';
import { bodyAssociatedData, floeKey, headerMacKey, journalMacKey } from '../../envelope/body.ts';
import { parseContext } from '../../envelope/context.ts';
import { checkEnvelopeSegmentBytes } from '../../envelope/create.ts';
import { drawFile, type NewFile, newRegion } from '../../envelope/new-header.ts';
import { findHeader, type HeaderRegion } from '../../envelope/region.ts';
import { bodyKinds, bodyUse } from '../../envelope/v1/constants.ts';
import { type BodyState, emptyState, type HeaderIdentity } from '../../envelope/v1/copy.ts';
import type { Slot } from '../../envelope/v1/slot.ts';
import { foreignKey, openWriteOnceBody, verifyCopies, warnOfDamagedCopy } from '../../envelope/verify.ts';
import { internalError, VolsealError } from '../../errors.ts';
import { FloeDecryptor } from '../../floe/decryptor.ts';
import { FloeEncryptor } from '../../floe/encryptor.ts';
import type { SegmentLayout } from '../../floe/layout.ts';
import type { Context } from '../../kms/provider.ts';
import type { System } from '../../os/system.ts';
import type { Secret } from '../../secret.ts';
import { checkBodyState, emptyBodyState } from './body-state.ts';
import type { FileKeys, NewFileKeys, ReloadableFileKeys } from './file-keys.ts';
import { findRegion } from './find-region.ts';
import { SegmentCodec } from './segment-codec.ts';
import { writeNextHalf } from './write-state.ts';

export type FileKind = BodyUse;

export interface NewFileOptions {
  readonly kind: FileKind;
  /** Default: the policy's. */
  readonly suite?: Suite | undefined;
  /** Sealed bytes of a whole segment. Default: the policy's for this kind. */
  readonly segmentBytes?: number | undefined;
  readonly context?: Context | undefined;
  /** Of a mutable file. Default: {@link emptyBodyState}. */
  readonly state?: BodyState | undefined;
}

export interface NewFileHeader {
  readonly header: FileHeader;
  /** Both halves, to be written in front of the body. */
  readonly region: Uint8Array;
  /** Seals a write-once body, each segment once; the caller wipes it. */
  readonly encryptor?: FloeEncryptor;
}

/** A header and the keys behind it. */
interface Parts {
  readonly identity: HeaderIdentity;
  readonly generation: number;
  readonly state: BodyState;
  readonly body: SegmentCodec | FloeDecryptor | FloeEncryptor;
  readonly dataKey: Secret;
  readonly bothCopies: boolean;
  /** Of a file that was just made. */
  readonly made?: { readonly file: NewFile; readonly slots: readonly Slot[] };
}

export class FileHeader {
  readonly kind: FileKind;
  /** 16 bytes. */
  readonly fileId: Uint8Array;
  /** Bytes in front of the body. */
  readonly regionBytes: number;
  /** Authenticated. Whether it is the one that was asked for, the caller decides. */
  readonly context: Context;
  /** By its public name. */
  readonly suite: Suite;
  readonly layout: SegmentLayout;
  /** Whether both copies were good when the header was read. */
  readonly bothCopies: boolean;
  readonly #identity: HeaderIdentity;
  readonly #dataKey: Secret;
  readonly #codec: SegmentCodec | undefined;
  readonly #made: Parts['made'];
  #decryptor: FloeDecryptor | undefined;
  #macKey: Secret | undefined;
  #journalKey: Secret | undefined;
  #generation: number;
  #state: BodyState;

  private constructor({ body, bothCopies, dataKey, generation, identity, made, state }: Parts, suite: Suite) {
    this.kind = bodyUse(identity.bodyKind);
    this.fileId = identity.fileId;
    this.regionBytes = identity.regionBytes;
    this.context = parseContext(identity.context) as Context; // canonical: encoded here, or checked when it was read
    this.suite = suite;
    this.layout = body.layout;
    this.bothCopies = bothCopies;
    this.#identity = identity;
    this.#dataKey = dataKey;
    this.#codec = body instanceof SegmentCodec ? body : undefined;
    this.#made = made;
    this.#decryptor = body instanceof FloeDecryptor ? body : undefined;
    this.#generation = generation;
    this.#state = state;
  }

  /**
   * A new file under a new data key, which the primary volume key wraps.
   * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_HEADER_FULL` and what
   *   the keyring throws
   */
  static create(keys: NewFileKeys, o: NewFileOptions): NewFileHeader {
    const mutable = o.kind === 'mutable';
    const suite = o.suite ?? keys.policy.suite;
    const policyBytes = mutable ? keys.policy.segmentBytes : keys.policy.writeOnceSegmentBytes;
    const segmentBytes = checkEnvelopeSegmentBytes(o.segmentBytes ?? policyBytes);
    const file = drawFile(mutable ? bodyKinds.mutable : bodyKinds.writeOnce, o.context);
    const { associatedData, dataKey, fileId } = file;
    let body: SegmentCodec | FloeEncryptor | undefined;
    try {
      body = mutable
        ? SegmentCodec.create(file.floeKey, { suite, segmentBytes, associatedData })
        : FloeEncryptor.start(file.floeKey.bytes(), { suite, segmentBytes, associatedData });
      const floeHeader = body instanceof SegmentCodec ? body.floeHeader : body.header;
      const state = mutable
        ? checkBodyState(o.state ?? emptyBodyState(body.layout), body.layout)
        : emptyState;
      const slots = [keys.wrapDataKey(dataKey, fileId, floeHeader)];
      const region = newRegion(file, floeHeader, slots, state);
      const { bodyKind, context } = file;
      const identity = { regionBytes: region.length, bodyKind, fileId, floeHeader, context };
      const made = { file, slots };
      const parts = { identity, generation: 1, state, body, dataKey, bothCopies: true, made };
      const header = new FileHeader(parts, suite);
      return body instanceof SegmentCodec ? { header, region } : { header, region, encryptor: body };
    } catch (error) {
      body?.wipe();
      dataKey.wipe();
      throw error;
    } finally {
      file.floeKey.wipe();
    }
  }

  /**
   * Opens the header in the first bytes of a file, by the steps 1 to 8 of docs/format/v1.md §7. The context is left to the caller.
   * @param start as many bytes as `headerBytesNeeded` says, or all there is; what follows the region is ignored
   * @param path of the file, for warnings
   * @throws VolsealError the codes of docs/format/v1.md §8 that concern a header, `ERR_VOLSEAL_KEYRING_ROLLED_BACK`
   */
  static open(keys: FileKeys, start: Uint8Array, path?: string): FileHeader {
    return FileHeader.fromRegion(keys, findHeader(start), path);
  }

  /** As {@link open}, from a region that was found already. */
  static fromRegion(keys: FileKeys, region: HeaderRegion, path?: string): FileHeader {
    const { header } = region;
    const dataKey = keys.unwrapDataKey(header.slots, header.fileId, header.floeHeader);
    let body: SegmentCodec | FloeDecryptor | undefined;
    let macKey: Secret | undefined;
    try {
      body =
        header.bodyKind === bodyKinds.mutable
          ? openMutableBody(header, dataKey)
          : openWriteOnceBody(header, dataKey);
      macKey = headerMacKey(dataKey);
      verifyCopies(region, macKey);
      warnOfDamagedCopy(region, path);
      const { generation, state } = header;
      const bothCopies = region.goodCopies.length === 2;
      const parts = { identity: header, generation, state, body, dataKey, bothCopies };
      const opened = new FileHeader(parts, body.suite);
      if (opened.kind === 'mutable') {
        opened.#macKey = macKey;
      } else {
        macKey.wipe();
        dataKey.wipe(); // nothing more will be derived from it
      }
      return opened;
    } catch (error) {
      body?.wipe();
      macKey?.wipe();
      dataKey.wipe();
      throw error;
    }
  }

  get generation(): number {
    return this.#generation;
  }

  /** As it stands in the header; a pending journal may be ahead of it. All zero in a write-once file. */
  get state(): BodyState {
    return this.#state;
  }

  /** The segments of a mutable body. */
  get segments(): SegmentCodec {
    if (this.#codec === undefined) throw internalError('a write-once file has no segments to seal again');
    return this.#codec;
  }

  /** The segments of a write-once body. */
  get decryptor(): FloeDecryptor {
    if (this.#codec !== undefined) throw internalError('a mutable body is no FLOE message');
    this.#decryptor ??= openWriteOnceBody(this.#identity, this.#dataKey);
    return this.#decryptor;
  }

  /** E(FK, "volseal/v1/journal", 32) of a mutable file. Wiped with the header. */
  get journalKey(): Secret {
    if (this.#codec === undefined) throw internalError('a write-once file has no journal');
    this.#journalKey ??= journalMacKey(this.#dataKey);
    return this.#journalKey;
  }

  /**
   * Both halves of a new file once more, with another state: for a file that nobody else can see yet, so that both of them
   * say how long it became.
   */
  regionWith(state: BodyState): Uint8Array {
    if (this.#made === undefined || this.#codec === undefined || this.#generation !== 1)
      throw internalError('only a new mutable file gets both halves of its header again');
    const { file, slots } = this.#made;
    const region = newRegion(file, this.#identity.floeHeader, slots, checkBodyState(state, this.layout));
    this.#state = state;
    return region;
  }

  /**
   * Writes `state` into the older half, under the next generation. The caller holds the header lock of the file; slots that
   * somebody else changed before stay as they are. Nothing is synced.
   * @throws VolsealError `ERR_VOLSEAL_HEADER_CONFLICT` when the file on the disk is not this one any more, or another writer
   *   is ahead; `ERR_VOLSEAL_HEADER_DAMAGED`, `ERR_VOLSEAL_HEADER_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`; errors of the system
   */
  async writeState(system: System, fd: number, state: BodyState): Promise<void> {
    if (this.#codec === undefined) throw internalError('a write-once file has no state');
    this.#macKey ??= headerMacKey(this.#dataKey);
    this.#generation = await writeNextHalf(system, fd, {
      identity: this.#identity,
      seenGeneration: this.#generation,
      macKey: this.#macKey,
      state: checkBodyState(state, this.layout),
    });
    this.#state = state;
  }

  /** Overwrites all keys. The header cannot be used afterwards. */
  wipe(): void {
    this.#codec?.wipe();
    this.#decryptor?.wipe();
    this.#macKey?.wipe();
    this.#journalKey?.wipe();
    this.#dataKey.wipe();
  }
}

/** Step 7 for a mutable body. */
export function openMutableBody(header: HeaderIdentity, dataKey: Secret): SegmentCodec {
  const key = floeKey(dataKey);
  const associatedData = bodyAssociatedData(header.bodyKind, header.fileId, header.context);
  const codec = SegmentCodec.open(key, header.floeHeader, associatedData);
  key.wipe();
  if (codec === undefined) throw foreignKey();
  return codec;
}

/**
 * Reads what it needs of an open file, one system call in the common case, and opens its header. On a volume key that the
 * keyring does not know the keyring is read once more: another process may have added it.
 * @param start the first bytes of the file, when the caller has read them; with the whole region in it nothing is read
 * @param path of the file, for warnings
 * @throws VolsealError as {@link FileHeader.open}; errors of the system
 */
export async function openHeader(
  system: System,
  keys: ReloadableFileKeys,
  fd: number,
  start?: Uint8Array,
  path?: string,
): Promise<FileHeader> {
  const region = await findRegion(system, fd, start);
  try {
    return FileHeader.fromRegion(keys, region, path);
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_KEYRING_ROLLED_BACK') throw error;
    await keys.reload();
    return FileHeader.fromRegion(keys, region, path);
  }
}
