/** `volseal recovery create` and `volseal recovery test`: the key on paper, for the day when the secret is lost. */

import { VolsealError } from '../../errors.ts';
import { addSlot, removeSlot } from '../../keyring/changes.ts';
import { makeRecoveryKey, recoveryKey } from '../../kms/recovery-key.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { keyProviders } from '../keys.ts';
import { readRecoveryKey } from '../recovery-input.ts';
import type { Reporter } from '../report.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { withKeyring } from '../volumes/keyring-place.ts';
import { recoveryAdvice, showRecoveryKey } from '../volumes/show-recovery-key.ts';

export interface CreateOptions {
  readonly force: boolean;
  readonly dryRun: boolean;
}

export async function createRecoveryKey(
  io: Io,
  reporter: Reporter,
  options: CreateOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  const root = await finder.root();
  const providers = await keyProviders(kms, io);
  return withKeyring(root, providers, { readonly: options.dryRun }, async (keyring) => {
    const old = keyring.info().slots.filter(({ type }) => type === 'recovery');
    const [first] = old;
    if (first !== undefined && !options.force) {
      throw new VolsealError(
        'ERR_VOLSEAL_EXISTS',
        `${root} has a recovery key already (key id ${first.keyId})`,
        { path: root },
      );
    }
    if (options.dryRun) {
      reporter.event('would', { volume: root, replaces: old.map(({ keyId }) => keyId) });
      if (!reporter.json) reporter.print(`${root}: ${first === undefined ? 'a' : 'another'} recovery key`);
      return exitCodes.done;
    }
    const text = makeRecoveryKey();
    const provider = recoveryKey(text);
    const { primary: keyId } = await provider.describe();
    // The new one first: at no time is the volume without.
    await keyring.change(addSlot(provider));
    for (const { keyId: oldId, type } of old) {
      await keyring.change(removeSlot({ type, keyId: oldId }, { providers: [provider] }));
    }
    provider.close?.();
    const { generation, volumeId } = keyring.info();
    const document = { volume: root, volumeId, generation, keyId, recoveryKey: text };
    const replaced = first === undefined ? '' : '; the old one opens nothing that is written from now on';
    const lines = [`${root} has a recovery key, key id ${keyId}${replaced}.`, ...recoveryAdvice];
    await showRecoveryKey(io, reporter, text, document, lines);
    return exitCodes.done;
  });
}

/** Opens the keyring with the recovery key and nothing else. */
export async function testRecoveryKey(io: Io, reporter: Reporter, finder: VolumeFinder): Promise<number> {
  const root = await finder.root();
  const provider = recoveryKey(await readRecoveryKey(io));
  const { primary: keyId } = await provider.describe();
  const { generation, volumeId } = await withKeyring(root, [provider], { readonly: true }, async (keyring) =>
    keyring.info(),
  );
  if (reporter.json) reporter.document({ volume: root, volumeId, generation, keyId, opens: true });
  reporter.note(`this recovery key opens ${root} (key id ${keyId})`);
  return exitCodes.done;
}
