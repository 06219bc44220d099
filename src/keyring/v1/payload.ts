/** The payload of a keyring, format version 1: what it says as bytes and back (docs/format/keyring-v1.md §4). */

import type { Suite } from '../../aead/suite.ts';
import { suites } from '../../aead/registry.ts';
import { bytesEqual, utf8 } from '../../bytes.ts';
import { VolsealError } from '../../errors.ts';
import { formatKeyId, parseKeyId } from '../../key-id.ts';
import { localWrapBytes } from '../../kms/local-wrap.ts';
import {
  isEnvelopeSegmentBytes,
  maxContextKeyBytes,
  maxContextPairs,
  maxExternalWrapBytes,
  maxKeyringSlots,
  maxSegmentBytes,
  maxVolumeKeys,
  volumeIdBytes,
} from '../../limits.ts';
import {
  type KeyringContent,
  type KeyringSlot,
  sameSlot,
  type VolumeKeyRecord,
  type VolumeKeyState,
  type VolumePolicy,
  volumePrefixBytes,
} from '../content.ts';
import { Members } from './members.ts';
import { invalidKeyring, unsupportedKeyring } from './refusals.ts';
import { type Json, parseStrictJson } from './strict-json.ts';

/** Providers whose wrap is the local one: 104 bytes, and perhaps a label. */
const localTypes: ReadonlySet<string> = new Set(['fly-secrets', 'recovery']);
const typePattern = /^[\x21-\x7e]{1,64}$/;
const labelPattern = /^[A-Za-z0-9_]{1,32}$/;
const states: readonly VolumeKeyState[] = ['primary', 'active', 'disabled', 'destroyed'];
/** Names that later versions will use; a reader that skipped them would lose the keys behind them. */
const reserved = {
  nameKeys: 'encrypted file names, which this volseal does not know',
  directoryKeys: 'location binding, which this volseal does not know',
} as const;

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export function encodePayload(content: KeyringContent): Uint8Array {
  const { volumeId, generation, created, changed, policy } = content;
  const { suite, segmentBytes, writeOnceSegmentBytes, requireContext } = policy;
  const text = JSON.stringify({
    volumeId: base64url(volumeId),
    generation,
    created,
    changed,
    policy: { suite, segmentBytes, writeOnceSegmentBytes, requireContext },
    slots: content.slots.map(encodeSlot),
    volumeKeys: content.volumeKeys.map(encodeVolumeKey),
  });
  return utf8(text);
}

function encodeSlot({ wrapped, label, primary, created }: KeyringSlot): object {
  const { type, keyId } = wrapped;
  // What follows the wrap of a local key is its label, which has a member of its own here.
  const wrap = base64url(localTypes.has(type) ? wrapped.bytes.subarray(0, localWrapBytes) : wrapped.bytes);
  return label === undefined
    ? { type, keyId, primary, created, wrap }
    : { type, keyId, label, primary, created, wrap };
}

function encodeVolumeKey({ version, keyId, state, created, changed, wrap }: VolumeKeyRecord): object {
  const record = { version, keyId: formatKeyId(keyId), state, created, changed };
  return wrap === undefined ? record : { ...record, wrap: base64url(wrap) };
}

/**
 * Whether a slot fits into a keyring.
 * @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID`
 */
export function checkSlot(slot: KeyringSlot): void {
  readSlot(new Members('the slot', parseStrictJson(utf8(JSON.stringify(encodeSlot(slot))), 'the slot')));
}

/** What is needed to find the keyring key; all that may be used before the MAC is verified. */
export interface KeyringLock {
  readonly volumeId: Uint8Array;
  readonly slots: readonly KeyringSlot[];
}

/** A payload whose text is in order. */
export class Payload {
  readonly lock: KeyringLock;
  readonly #json: Json;

  /** @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID`, `ERR_VOLSEAL_UNSUPPORTED_FEATURE` */
  constructor(bytes: Uint8Array) {
    this.#json = parseStrictJson(bytes, 'the payload');
    const members = new Members('the payload', this.#json);
    this.lock = { volumeId: readVolumeId(members), slots: readSlots(members) };
  }

  /**
   * Everything, once the MAC is verified.
   * @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID`, `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_UNSUPPORTED_FEATURE`
   */
  content(): KeyringContent {
    const members = new Members('the payload', this.#json);
    const content: KeyringContent = {
      volumeId: readVolumeId(members),
      generation: members.integer('generation', 1, Number.MAX_SAFE_INTEGER),
      created: members.date('created'),
      changed: members.date('changed'),
      policy: readPolicy(members.object('policy')),
      slots: readSlots(members),
      volumeKeys: readVolumeKeys(members, this.lock.volumeId),
    };
    members.end(reserved);
    return content;
  }
}

function readVolumeId(members: Members): Uint8Array {
  return members.bytes('volumeId', volumeIdBytes, volumeIdBytes);
}

function readPolicy(members: Members): VolumePolicy {
  const suite = members.text('suite', 64, typePattern) as Suite;
  if (!suites.includes(suite)) {
    throw new VolsealError(
      'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      `the keyring asks for the unknown suite ${JSON.stringify(suite)}`,
      { hint: 'a newer volseal wrote it; upgrade and try again' },
    );
  }
  const segmentSize = (name: string): number => {
    const bytes = members.integer(name, 0, maxSegmentBytes);
    if (isEnvelopeSegmentBytes(bytes)) return bytes;
    throw invalidKeyring(`${name} is no size of segments`);
  };
  const segmentBytes = segmentSize('segmentBytes');
  const writeOnceSegmentBytes = segmentSize('writeOnceSegmentBytes');
  const requireContext = members.list('requireContext', 0, maxContextPairs).map((key) => {
    if (typeof key === 'string' && key !== '' && utf8(key).length <= maxContextKeyBytes) return key;
    throw invalidKeyring('requireContext names something that is no context key');
  });
  if (new Set(requireContext).size !== requireContext.length)
    throw invalidKeyring('requireContext names a key twice');
  members.end();
  return { suite, segmentBytes, writeOnceSegmentBytes, requireContext };
}

function readSlots(members: Members): KeyringSlot[] {
  const slots: KeyringSlot[] = [];
  for (const [i, value] of members.list('slots', 1, maxKeyringSlots).entries()) {
    const slot = readSlot(new Members(`slot ${i}`, value));
    if (slots.some((other) => sameSlot(other.wrapped, slot.wrapped))) {
      throw invalidKeyring(`slot ${i} is of a key that has one already`);
    }
    slots.push(slot);
  }
  if (slots.filter(({ primary }) => primary).length !== 1) throw invalidKeyring('not one slot is primary');
  return slots;
}

function readSlot(members: Members): KeyringSlot {
  const type = members.text('type', 64, typePattern);
  const keyId = members.text('keyId', maxExternalWrapBytes, /^[^]+$/);
  const isLocal = localTypes.has(type);
  if (isLocal && parseKeyId(keyId) === undefined) throw invalidKeyring('a slot has no key id');
  const label = isLocal && members.has('label') ? members.text('label', 32, labelPattern) : undefined;
  const primary = members.flag('primary');
  const created = members.date('created');
  const wrap = isLocal
    ? members.bytes('wrap', localWrapBytes, localWrapBytes)
    : members.bytes('wrap', 1, maxExternalWrapBytes);
  if (type.length + utf8(keyId).length + wrap.length > maxExternalWrapBytes)
    throw invalidKeyring('a slot is too long');
  members.end();
  const slot = { wrapped: { type, keyId, bytes: wrap }, primary, created };
  return label === undefined ? slot : { ...slot, label };
}

function readVolumeKeys(members: Members, volumeId: Uint8Array): VolumeKeyRecord[] {
  const records: VolumeKeyRecord[] = [];
  const keyIds = new Set<string>();
  for (const [i, value] of members.list('volumeKeys', 1, maxVolumeKeys).entries()) {
    const record = readVolumeKey(new Members(`volume key ${i}`, value), volumeId);
    if (record.version <= (records.at(-1)?.version ?? 0))
      throw invalidKeyring('versions of volume keys do not rise');
    keyIds.add(formatKeyId(record.keyId));
    records.push(record);
  }
  if (keyIds.size !== records.length) throw invalidKeyring('two volume keys have one key id');
  const primaries = records.filter(({ state }) => state === 'primary').length;
  if (primaries !== 1) throw invalidKeyring('not one volume key is primary');
  return records;
}

function readVolumeKey(members: Members, volumeId: Uint8Array): VolumeKeyRecord {
  const version = members.integer('version', 1, 2 ** 32 - 1);
  const keyId = parseKeyId(members.text('keyId', 39, /^[A-Z2-7-]+$/));
  const prefix = volumeId.subarray(0, volumePrefixBytes);
  if (keyId === undefined || !bytesEqual(keyId.subarray(0, volumePrefixBytes), prefix)) {
    throw invalidKeyring(`volume key ${version} has no key id of this volume`);
  }
  const state = members.text('state', 64, typePattern) as VolumeKeyState;
  if (!states.includes(state)) throw unsupportedKeyring(`volume key ${version} in an unknown state`);
  const created = members.date('created');
  const changed = members.date('changed');
  const record = { version, keyId, state, created, changed };
  const wrap = members.has('wrap') ? members.bytes('wrap', localWrapBytes, localWrapBytes) : undefined;
  if ((wrap === undefined) !== (state === 'destroyed'))
    throw invalidKeyring(`volume key ${version} does not fit its state`);
  members.end();
  return wrap === undefined ? record : { ...record, wrap };
}
