/** Files of a volume, met by commands that work on files of their own. */

import { VolsealError, type VolsealErrorCode } from '../../errors.ts';
import { inspect } from '../../sealed/inspect.ts';
import { standardStream } from '../destinations.ts';
import type { Item } from '../items.ts';
import type { VolumeFinder } from './find.ts';

type Sealing = 'volume' | 'alone' | 'unknown';

/** What a file's header says it was sealed for. */
export async function sealingOf(path: string): Promise<Sealing> {
  try {
    const { slots } = await inspect(path);
    return slots.some(({ type }) => type === 'volume-key') ? 'volume' : 'alone';
  } catch {
    return 'unknown'; // whoever opens it will say what is wrong
  }
}

/**
 * Sealing the sealed bytes of a volume's file once more is never meant.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`
 */
export async function refuseSealedForVolume(
  { inTree, source, sourceStats }: Item,
  finder: VolumeFinder,
  hint: string,
): Promise<void> {
  if (source === standardStream || sourceStats?.isFile() !== true) return;
  const root = await finder.rootAround(source, inTree);
  if (root === undefined || (await sealingOf(source)) !== 'volume') return;
  throw new VolsealError(
    'ERR_VOLSEAL_INVALID_ARGUMENT',
    `${source} is sealed already, in the volume ${root}`,
    {
      hint,
      path: source,
    },
  );
}

/**
 * What came out of a volume is not written back into its folder unsealed.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`
 */
export async function refusePlaintextInVolume(
  destination: string,
  inTree: boolean,
  finder: VolumeFinder,
  hint: string,
): Promise<void> {
  if (destination === standardStream) return;
  const root = await finder.rootAround(destination, inTree);
  if (root === undefined) return;
  throw new VolsealError(
    'ERR_VOLSEAL_INVALID_ARGUMENT',
    `${destination} lies in the volume ${root}, where nothing is written unsealed`,
    { hint, path: destination },
  );
}

/** What opening a file of a volume without the volume fails with. */
const needsVolume: ReadonlySet<string> = new Set([
  'ERR_VOLSEAL_KEY_MISSING',
  'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
] satisfies VolsealErrorCode[]);

/** A failure to open a file by itself, in better words where the file needs its volume. */
export async function explainVolumeFile(
  thrown: unknown,
  source: string,
  finder: VolumeFinder,
): Promise<unknown> {
  if (!(thrown instanceof VolsealError) || source === standardStream) return thrown;
  if (!needsVolume.has(thrown.code) || (await sealingOf(source)) !== 'volume') return thrown;
  const place = await finder.around(source);
  const [message, hint] =
    place === undefined
      ? [
          `${source} was sealed in a volume and opens only there`,
          'put it back into the folder of its volume, and then: volseal cat PATH; where .volseal was lost: volseal keyring restore',
        ]
      : [
          `${source} is sealed in the volume ${place.root} and opens through it`,
          `volseal get ${source} DEST, or volseal cat ${source}`,
        ];
  return new VolsealError('ERR_VOLSEAL_KEY_MISSING', message, { hint, path: source, cause: thrown });
}
