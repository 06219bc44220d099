/** What a run did to the disk, in the order in which it took effect. Reads leave no trace. */

import type { DiskNode } from './disk.ts';

/** `node` undefined: the entry is taken away. */
export interface EntryChange {
  readonly directory: number;
  readonly name: string;
  readonly node: number | undefined;
}

export type Operation =
  | {
      readonly type: 'write';
      readonly node: number;
      readonly offset: number;
      readonly data: Uint8Array;
      readonly label: string;
    }
  | { readonly type: 'truncate'; readonly node: number; readonly size: number; readonly label: string }
  /** All of its changes happen or none: create, link, unlink, rename, mkdir, rmdir, symlink. */
  | {
      readonly type: 'entries';
      readonly changes: readonly EntryChange[];
      /** What was made, empty still. */
      readonly created?: DiskNode;
      readonly label: string;
    }
  /** fsync or fdatasync: covers the operations before number `upTo`, those that had happened when it was called. */
  | { readonly type: 'sync'; readonly node: number; readonly upTo: number; readonly label: string }
  /**
   * A sync that failed: what it should have covered is given up. The file goes on showing it, and a later sync says nothing
   * of it, as in Linux after a write error; only what is written again gets another chance.
   */
  | { readonly type: 'lost'; readonly node: number; readonly upTo: number; readonly label: string }
  /** The caller was told that something is safe. */
  | { readonly type: 'acknowledge'; readonly value: unknown; readonly label: string };
