/** `volseal encrypt`: files, folders and streams into sealed ones. */

import type { Suite } from '../../aead/suite.ts';
import { encodeContext } from '../../envelope/context.ts';
import { checkEnvelopeSegmentBytes } from '../../envelope/create.ts';
import type { Context, KeyProvider } from '../../kms/provider.ts';
import { encryptFile } from '../../sealed/file.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';
import { runTransfer, type TransferOptions } from '../transfer.ts';
import { VolumeFinder } from '../volumes/find.ts';
import { refuseSealedForVolume } from '../volumes/sealed-for-volume.ts';

export interface EncryptOptions extends TransferOptions {
  readonly context: Context | undefined;
  readonly suite: Suite | undefined;
  readonly segmentBytes: number | undefined;
}

export async function encrypt(
  io: Io,
  reporter: Reporter,
  sources: readonly string[],
  options: EncryptOptions,
  keys: readonly KeyProvider[],
): Promise<number> {
  const { context, segmentBytes, suite } = options;
  // What every file would be refused for is refused once.
  encodeContext(context);
  if (segmentBytes !== undefined) checkEnvelopeSegmentBytes(segmentBytes);
  const sealOptions = {
    keys,
    ...(context === undefined ? {} : { context }),
    ...(suite === undefined ? {} : { suite }),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
  };
  const finder = new VolumeFinder(undefined, {});
  return runTransfer(
    io,
    reporter,
    'encrypt',
    sources,
    options,
    (source, destination, fileOptions) =>
      encryptFile(source, destination, { ...sealOptions, ...fileOptions }),
    (item) => {
      const hint = `volseal cat ${item.source} | volseal encrypt - -o ${item.destination}`;
      return refuseSealedForVolume(item, finder, hint);
    },
  );
}
