/** The volumes that a command works on. */

import type { Volume } from '../../fs/volume/volume.ts';
import type { KeyProvider } from '../../kms/provider.ts';
import { keyProviders } from '../keys.ts';
import type { Io } from '../io.ts';
import { inTerms, inTermsOf } from './failures.ts';

interface Opened {
  readonly volume: Volume;
  readonly readonly: boolean;
  /** Kept as long as the volume: a keyring that another process changes is opened anew. */
  readonly keys: readonly KeyProvider[];
}

export class OpenedVolumes {
  readonly #io: Io;
  readonly #kms: readonly string[];
  readonly #all: Opened[] = [];

  /** @param kms what --kms says */
  constructor(io: Io, kms: readonly string[]) {
    this.#io = io;
    this.#kms = kms;
  }

  /** Each volume is opened once, or twice where it was only to be read at first. */
  async open(root: string, options: { readonly: boolean }): Promise<Volume> {
    const known = this.#all.find(({ readonly, volume }) => {
      return volume.root === root && (options.readonly || !readonly);
    });
    if (known !== undefined) return known.volume;
    // Loaded when it is needed: `cat` of a file outside of volumes is not.
    const { openVolume } = await import('../../fs/volume/entry.ts');
    const keys = await keyProviders(this.#kms, this.#io);
    try {
      const volume = await openVolume(root, { keys, readonly: options.readonly });
      this.#all.push({ volume, readonly: options.readonly, keys });
      return volume;
    } catch (error) {
      for (const provider of keys) provider.close?.();
      throw inTermsOf(root, error);
    }
  }

  async close(): Promise<void> {
    for (const { keys, volume } of this.#all.splice(0)) {
      await inTerms(volume.root, volume.close());
      for (const provider of keys) provider.close?.();
    }
  }
}

/** Runs a command with volumes of its own, closed whatever happens. */
export async function withVolumes(
  io: Io,
  kms: readonly string[],
  run: (volumes: OpenedVolumes) => Promise<number>,
): Promise<number> {
  const volumes = new OpenedVolumes(io, kms);
  let exitCode: number;
  try {
    exitCode = await run(volumes);
  } catch (error) {
    await volumes.close().catch(() => {}); // the first failure is the one to tell
    throw error;
  }
  await volumes.close();
  return exitCode;
}
