/** `volseal decrypt`: sealed files, folders and streams into plain ones. */

import { encodeContext } from '../../envelope/context.ts';
import type { Context, KeyProvider } from '../../kms/provider.ts';
import { decryptFile } from '../../sealed/file.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';
import { runTransfer, type TransferOptions } from '../transfer.ts';

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
  return runTransfer(io, reporter, 'decrypt', sources, options, (source, destination, fileOptions) =>
    decryptFile(source, destination, { ...openOptions, ...fileOptions }),
  );
}
