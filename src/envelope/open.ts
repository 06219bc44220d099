/** From a header to the keys of the body, in the order of docs/format/v1.md §7, steps 5 to 8. */

import { VolsealError } from '../errors.ts';
import { FloeDecryptor } from '../floe/decryptor.ts';
import type { Context, KeyProvider } from '../kms/provider.ts';
import type { Secret } from '../secret.ts';
import { publishWarning } from '../trace.ts';
import { bodyAssociatedData, floeKey, headerMacKey } from './body.ts';
import { checkContext, parseContext } from './context.ts';
import type { HeaderRegion } from './region.ts';
import { openSlots } from './slots.ts';
import { bodyKinds } from './v1/constants.ts';
import { type HeaderCopy, verifyMac } from './v1/copy.ts';

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
    const decryptor = startBody(header, dataKey);
    try {
      verifyCopies(region, dataKey);
      checkContext(context, options.context, options.exactContext ?? false);
    } catch (error) {
      decryptor.wipe();
      throw error;
    }
    if (region.states.includes('damaged') || region.states.includes('absent')) {
      const message = 'one of the two header copies is damaged; the other one was used';
      publishWarning({
        code: 'header-copy-damaged',
        message,
        ...(options.path !== undefined && { path: options.path }),
      });
    }
    return { fileId: header.fileId, regionBytes: region.regionBytes, context, decryptor };
  } finally {
    dataKey.wipe();
  }
}

function startBody(header: HeaderCopy, dataKey: Secret): FloeDecryptor {
  const key = floeKey(dataKey);
  try {
    const associatedData = bodyAssociatedData(header.bodyKind, header.fileId, header.context);
    return FloeDecryptor.start(key.bytes(), header.floeHeader, { associatedData });
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_WRONG_KEY') throw error;
    throw new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'the key in its slot is not the key of this data', {
      hint: 'the header was changed or put together from several files; restore the file from a backup',
    });
  } finally {
    key.wipe();
  }
}

function verifyCopies(region: HeaderRegion, dataKey: Secret): void {
  const macKey = headerMacKey(dataKey);
  const forged = region.goodCopies.find((copy) => !verifyMac(copy, macKey));
  macKey.wipe();
  if (forged === undefined) return;
  throw new VolsealError(
    'ERR_VOLSEAL_HEADER_TAMPERED',
    `copy ${forged.halfIndex} of the header was changed by someone without the key`,
    {
      hint: 'restore the file from a backup',
      offset: forged.halfIndex === 0 ? 0 : region.regionBytes / 2,
    },
  );
}
