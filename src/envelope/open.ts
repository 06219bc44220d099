/** From a header to the keys of the body, in the order of docs/format/v1.md §7, steps 5 to 8. */

import { VolsealError } from '../errors.ts';
import type { FloeDecryptor } from '../floe/decryptor.ts';
import type { Context, KeyProvider } from '../kms/provider.ts';
import { headerMacKey } from './body.ts';
import { checkContext, parseContext } from './context.ts';
import type { HeaderRegion } from './region.ts';
import { openSlots } from './slots.ts';
import { bodyKinds } from './v1/constants.ts';
import { openWriteOnceBody, verifyCopies, warnOfDamagedCopy } from './verify.ts';

export interface OpenedEnvelope {
  readonly fileId: Uint8Array;
  readonly regionBytes: number;
  /** Authenticated. */
  readonly context: Context;
  readonly decryptor: FloeDecryptor;
}

export interface OpenEnvelopeOptions {
  /** For warnings. */
  readonly path?: string | undefined;
  readonly context?: Context | undefined;
  readonly exactContext?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function openEnvelope(
  region: HeaderRegion,
  providers: readonly KeyProvider[],
  options: OpenEnvelopeOptions,
): Promise<OpenedEnvelope> {
  const { header } = region;
  if (header.bodyKind !== bodyKinds.writeOnce) {
    throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_FEATURE', 'it is a mutable file of a volume', {
      hint: 'open it through its volume',
    });
  }
  const context = parseContext(header.context) as Context; // canonical: checked when the copy was parsed
  const binding = { fileId: header.fileId, floeHeader: header.floeHeader, context, signal: options.signal };
  const dataKey = await openSlots(providers, header.slots, binding);
  try {
    const decryptor = openWriteOnceBody(header, dataKey);
    const macKey = headerMacKey(dataKey);
    try {
      verifyCopies(region, macKey);
      checkContext(context, options.context, options.exactContext ?? false);
    } catch (error) {
      decryptor.wipe();
      throw error;
    } finally {
      macKey.wipe();
    }
    warnOfDamagedCopy(region, options.path);
    return { fileId: header.fileId, regionBytes: region.regionBytes, context, decryptor };
  } finally {
    dataKey.wipe();
  }
}
