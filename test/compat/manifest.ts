/** Sealed files of a released format, and what is in them. Files and entries are added, never changed. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Fixture {
  /** Environment variables with test secrets, each of which opens the file. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Key services of nobody (test/adversarial/external-keys.ts), by name, each of which opens the file. */
  readonly externalKeys?: readonly string[];
  readonly plainBytes: number;
  readonly plainSha256: string;
  readonly sealedSha256: string;
  /** What `inspect` says beside key ids. */
  readonly suite: string;
  readonly segmentBytes: number;
  readonly regionBytes: number;
  readonly fileId: string;
  readonly generation: number;
  readonly context: Readonly<Record<string, string>>;
  readonly slots: readonly { readonly type: string; readonly keyId: string; readonly label?: string }[];
}

/** By file name. */
export type Manifest = Readonly<Record<string, Fixture>>;

export function directoryOf(version: string): string {
  return fileURLToPath(new URL(`${version}/`, import.meta.url));
}

export function readManifest(version: string): Manifest {
  return JSON.parse(readFileSync(`${directoryOf(version)}manifest.json`, 'utf8')) as Manifest;
}
