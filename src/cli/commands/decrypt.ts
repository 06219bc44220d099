/** `volseal decrypt`: sealed files, folders and streams into plain ones. */

import { encodeContext } from '../../envelope/context.ts';
import type { Context, KeyProvider } from '../../kms/provider.ts';
import { decryptFile } from '../../sealed/file.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';
import { runTransfer, type TransferOptions } from '../transfer.ts';
import { VolumeFinder } from '../volumes/find.ts';
import { explainVolumeFile, refusePlaintextInVolume } from '../volumes/sealed-for-volume.ts';

export interface DecryptOptions extends TransferOptions {
  readonly context: Context | undefined;
}

export async function decrypt(
  io: Io,
  reporter: Reporter,
  sources: readonly string[],
  options: DecryptOptions,
  keys: readonly KeyProvider[],
): Promise<number> {
  const { context } = options;
  encodeContext(context);
  const openOptions = { keys, ...(context === undefined ? {} : { context }) };
  const finder = new VolumeFinder(undefined, {});
  const { output } = options;
  if (output !== undefined && output !== '')
    await refusePlaintextInVolume(output, false, finder, hintFor(sources[0] ?? 'SOURCE', output));
  return runTransfer(
    io,
    reporter,
    'decrypt',
    sources,
    options,
    async (source, destination, fileOptions) => {
      try {
        return await decryptFile(source, destination, { ...openOptions, ...fileOptions });
      } catch (error) {
        throw typeof source === 'string' ? await explainVolumeFile(error, source, finder) : error;
      }
    },
    ({ destination, inTree, source }) =>
      refusePlaintextInVolume(destination, inTree, finder, hintFor(source, destination)),
  );
}

function hintFor(source: string, destination: string): string {
  return `volseal decrypt ${source} -o - | volseal put - ${destination}`;
}
