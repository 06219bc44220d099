/** The segments of a new body, of either kind, sealed each once and in order. */

import type { SegmentLayout } from '../../floe/layout.ts';
import type { NewFileHeader } from '../header/file-header.ts';

export class NewBody {
  readonly layout: SegmentLayout;
  /** Sealed bytes so far. */
  sealedBytes = 0;
  readonly #made: NewFileHeader;
  #position = 0;

  constructor(made: NewFileHeader) {
    this.layout = made.header.layout;
    this.#made = made;
  }

  /** @returns parts that count as joined */
  seal(plain: readonly Uint8Array[], final: boolean): Uint8Array[] {
    const { encryptor, header } = this.#made;
    const position = this.#position++;
    const parts =
      encryptor === undefined
        ? header.segments.seal(plain, position, final)
        : encryptor.sealSegmentParts(plain, position, final);
    for (const part of parts) this.sealedBytes += part.length;
    return parts;
  }

  /** Overwrites all keys. */
  wipe(): void {
    this.#made.encryptor?.wipe();
    this.#made.header.wipe();
  }
}
