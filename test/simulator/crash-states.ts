/**
 * The states in which a crash after some of the recorded operations can leave the disk.
 *
 * Content: see file-history.ts. Names: `ordered`, as a journaling file system does: any number of the recorded changes,
 * but none without all before it; `any`: whatever subset, each change (a rename too) whole or not at all. Syncing a
 * directory makes the changes in it safe; syncing a file makes neither its name safe nor that of anything else.
 *
 * A state is a vector of choices. All vectors are tried where they are few enough; else the telling ones (nothing,
 * everything, each thing alone missing or alone there, every subset of whole writes) and random ones.
 */

import { createHash } from 'node:crypto';

import { type DiskImage, type DiskNode, rootId } from './disk.ts';
import type { FileHistory } from './file-history.ts';
import type { Operation } from './operations.ts';
import { type CrashOptions, PointOfCrash } from './point-of-crash.ts';
import type { SeededRandom } from './random.ts';

export interface CrashState {
  readonly image: DiskImage;
  /** Equal for equal disks. */
  readonly digest: string;
  /** What is missing on the disk, for people. */
  readonly missing: readonly string[];
}

export interface CrashPoint {
  /** How many vectors of choices there are; several may lead to the same state. */
  readonly choices: number;
  /** Each state once; all there are, if there are at most so many choices. */
  states(mostChoices: number, random: SeededRandom): Iterable<CrashState>;
}

/** Everything about the recorded operations that does not depend on where the crash comes. */
export class CrashPoints {
  readonly #base: DiskImage;
  readonly #operations: readonly Operation[];
  readonly #options: CrashOptions;
  readonly #contentDigests: WeakMap<Uint8Array, string> = new WeakMap();
  /** By the number of the file and of the operations on it: between two points most files stay as they are. */
  readonly #histories: Map<string, FileHistory> = new Map();

  constructor(base: DiskImage, operations: readonly Operation[], options: CrashOptions) {
    this.#base = base;
    this.#operations = operations;
    this.#options = options;
  }

  /** Where a crash can come: before everything, and after each operation but a sync, which only rules states out. */
  points(): number[] {
    const points = [0];
    for (const [at, { type }] of this.#operations.entries()) {
      if (type !== 'sync' && type !== 'lost') points.push(at + 1);
    }
    return points;
  }

  at(point: number): CrashPoint {
    const before = new PointOfCrash(this.#base, this.#operations, point, this.#options, this.#histories);
    return {
      choices: before.counts.reduce((product, count) => product * count, 1),
      states: (mostChoices, random) => this.#states(before, mostChoices, random),
    };
  }

  *#states(before: PointOfCrash, mostChoices: number, random: SeededRandom): Generator<CrashState> {
    const seen = new Set<string>();
    for (const choices of vectors(before, mostChoices, random)) {
      const image = before.image(choices);
      const digest = this.#digest(image);
      if (seen.has(digest)) continue;
      seen.add(digest);
      yield {
        image,
        digest,
        get missing() {
          return before.missing(choices);
        },
      };
    }
  }

  #digest(image: DiskImage): string {
    const hash = createHash('sha1');
    const visit = (id: number): void => {
      const node = image.nodes.get(id) as DiskNode;
      if (node.kind === 'file') hash.update(`f${this.#contentDigest(node.content)}`);
      else if (node.kind === 'symlink') hash.update(`l${node.target}\0`);
      else {
        hash.update(`d${node.entries.size}\0`);
        for (const name of [...node.entries.keys()].toSorted()) {
          hash.update(`${name}\0`);
          visit(node.entries.get(name) as number);
        }
      }
    };
    visit(rootId);
    return hash.digest('base64');
  }

  #contentDigest(content: Uint8Array): string {
    let digest = this.#contentDigests.get(content);
    if (digest === undefined) {
      digest = createHash('sha1').update(content).digest('base64');
      this.#contentDigests.set(content, digest);
    }
    return digest;
  }
}

/** Every vector if there are at most `limit`; else the telling ones first and random ones up to the limit. */
function* vectors(point: PointOfCrash, limit: number, random: SeededRandom): Generator<readonly number[]> {
  const { counts, sizes } = point;
  if (counts.reduce((product, count) => product * count, 1) <= limit) {
    yield* everyVector(counts);
    return;
  }
  let yielded = 0;
  for (const vector of point.wholeWrites()) {
    yield vector;
    if (++yielded >= limit) return;
  }
  const last = counts.map((count) => count - 1);
  for (const [i, count] of counts.entries()) {
    if (count === 1) continue;
    // One alone missing, one alone there.
    yield last.with(i, 0);
    yield counts.map((_, j) => (j === i ? count - 1 : 0));
    yielded += 2;
    if (yielded >= limit * 0.75) break;
  }
  for (; yielded < limit; yielded++) {
    // Mostly there, mostly missing, or anything.
    const odds = random.below(3);
    yield counts.map((count, i) => {
      if (sizes.has(i) && random.below(8) > 0) return count - 1;
      if (odds > 0 && random.below(4) > 0) return odds === 1 ? count - 1 : 0;
      return random.below(count);
    });
  }
}

function* everyVector(counts: readonly number[]): Generator<readonly number[]> {
  const vector = counts.map((count) => count - 1);
  for (;;) {
    yield [...vector];
    let i = counts.length - 1;
    while (i >= 0 && vector[i] === 0) {
      vector[i] = (counts[i] as number) - 1;
      i--;
    }
    if (i < 0) return;
    vector[i] = (vector[i] as number) - 1;
  }
}
