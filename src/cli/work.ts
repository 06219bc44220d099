/** What long work on many files consists of; run.ts does it, tally.ts counts it. Types only. */

/** What a kind of work is called, and what is counted of it. */
export interface Words {
  /** The command's name. */
  readonly command: string;
  /** Such as `encrypting`. */
  readonly doing: string;
  /** Such as `encrypted`. */
  readonly done: string;
  /** The sums to start from: those that its results have. */
  readonly sums: WorkResult;
}

/** What came of one file. */
export interface WorkResult {
  readonly plainBytes?: number;
  readonly sealedBytes?: number;
}

/** One file, pipe or standard stream to work on. */
export interface WorkItem {
  /** As people call it; `-` is standard input. */
  readonly source: string;
  /** `-` is standard output; undefined where nothing is made. */
  readonly destination: string | undefined;
  /** Of the source, where it tells. */
  readonly bytes: number | undefined;
}

/** What a tree holds that is passed over, and whether people hear of it: of each, of their number, or not at all. */
export interface Skipped {
  readonly kind: 'skipped';
  readonly path: string;
  readonly reason: string;
  readonly told: 'each' | 'number' | 'never';
}

export type Found<I> =
  | { readonly kind: 'item'; readonly item: I }
  | Skipped
  | { readonly kind: 'failed'; readonly path: string; readonly error: unknown };

export interface Work<I extends WorkItem> {
  readonly words: Words;
  /** What a failure of `find` itself concerns. */
  readonly subject: string;
  /** Whether standard input is one of the sources. */
  readonly readsStdin: boolean;
  /** All there is to do, found while the work goes on; `making` false only looks. */
  find(making: boolean): AsyncGenerator<Found<I>, void, void>;
  /** @throws when the item cannot be done as things are: all that --dry-run does */
  check(item: I): Promise<void>;
  /** Does one item, after a check of its own. */
  perform(item: I, advance: (doneBytes: number) => void): Promise<WorkResult>;
  /** Called at the end for each destination that did not come about. */
  takeBack(destination: string): Promise<void>;
}
