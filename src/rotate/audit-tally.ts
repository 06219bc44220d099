/** What an audit has found so far: which keys are needed, by how much, and what could not be read. */

import type { HeaderRegion } from '../envelope/region.ts';
import type { Slot } from '../envelope/v1/slot.ts';
import { hex } from '../bytes.ts';
import { isVolumeSlot } from '../fs/header/rewrap.ts';
import type { KeyringContent, VolumeKeyState } from '../keyring/content.ts';
import { formatKeyId } from '../key-id.ts';
import { isOfVolume, listedAtMost } from './internals.ts';
import type { AuditedKey, AuditedKeyKind, PathFailure } from './report-types.ts';

const mostExamples = 5;

interface Found {
  readonly id: string;
  readonly keyId: string;
  /** Of a provider; `volume-key` for a volume key. */
  readonly type: string;
  readonly label: string | undefined;
  state: VolumeKeyState | 'unknown';
  files: number;
  halves: number;
  journals: number;
  readonly generations: Set<number>;
  readonly examples: string[];
}

export class AuditTally {
  /** Of this volume. */
  files = 0;
  strangers = 0;
  unreadableFiles = 0;
  readonly unreadable: PathFailure[] = [];
  readonly #volumeId: Uint8Array;
  readonly #journals: ReadonlySet<string>;
  readonly #keys = new Map<string, Found>();

  /** @param journals ids of the files that have one */
  constructor(volumeId: Uint8Array, journals: ReadonlySet<string>) {
    this.#volumeId = volumeId;
    this.#journals = journals;
  }

  /** A generation of the keyring. The newest one says the states. */
  generation(content: KeyringContent, isNewest: boolean): void {
    const { generation } = content;
    for (const { keyId, state, version, wrap } of content.volumeKeys) {
      const text = formatKeyId(keyId);
      const key = this.#volumeKey(text, version);
      if (isNewest) key.state = state;
      if (wrap !== undefined) key.generations.add(generation);
    }
    for (const { wrapped, label, primary } of content.slots) {
      const key = this.#secret(wrapped.type, wrapped.keyId, label);
      if (isNewest) key.state = primary ? 'primary' : 'active';
      key.generations.add(generation);
    }
  }

  #volumeKey(keyId: string, version: number): Found {
    return this.#key('volume-key', keyId, `vk:${version}`, undefined);
  }

  #secret(type: string, keyId: string, label: string | undefined): Found {
    return this.#key(type, keyId, `${type}:${label ?? keyId}`, label);
  }

  #key(type: string, keyId: string, id: string, label: string | undefined): Found {
    const name = `${type}\0${keyId}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      const generations = new Set<number>();
      key = {
        id,
        keyId,
        type,
        label,
        state: 'unknown',
        files: 0,
        halves: 0,
        journals: 0,
        generations,
        examples: [],
      };
      this.#keys.set(name, key);
    }
    return key;
  }

  /** A file with a header, finished or not. */
  header({ goodCopies, header }: HeaderRegion, path: string): void {
    const found = new Map<Found, number>();
    for (const { slots } of goodCopies) {
      for (const key of new Set(slots.map((slot) => this.#ofSlot(slot)))) {
        if (key !== undefined) found.set(key, (found.get(key) ?? 0) + 1);
      }
    }
    const isOurs = [...found.keys()].some(({ type }) => type === 'volume-key');
    if (isOurs) this.files++;
    else this.strangers++;
    const hasJournal = this.#journals.has(hex(header.fileId));
    for (const [key, halves] of found) {
      key.files++;
      key.halves += halves;
      if (hasJournal) key.journals++;
      if (key.examples.length < mostExamples) key.examples.push(path);
    }
  }

  #ofSlot(slot: Slot): Found | undefined {
    const { keyId, type } = slot.wrapped;
    if (!isVolumeSlot(slot)) return this.#secret(type, keyId, slot.label);
    return isOfVolume(this.#volumeId, keyId) ? this.#volumeKey(keyId, slot.keyVersion) : undefined;
  }

  failed(failure: PathFailure): void {
    this.unreadableFiles++;
    if (this.unreadable.length < listedAtMost) this.unreadable.push(failure);
  }

  keys(): AuditedKey[] {
    return [...this.#keys.values()].map(({ examples, generations, label: _label, type, ...rest }) => {
      const kind: AuditedKeyKind = type === 'volume-key' ? type : 'secret';
      return {
        ...rest,
        kind,
        generations: [...generations].toSorted((a, b) => b - a),
        examples: [...examples],
      };
    });
  }
}
