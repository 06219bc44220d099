/** Everyone who takes part, by the id that results carry. */

import { ageEncryption } from './age-encryption.mjs';
import { ageProgram } from './age-program.mjs';
import { bare } from './bare.mjs';
import { kernelCopy, userCopy } from './copy.mjs';
import { esdk } from './esdk.mjs';
import { ideal } from './ideal.mjs';
import { naive } from './naive.mjs';
import { plainFiles } from './plain-files.mjs';
import { libsodiumWrappers, sodiumNative } from './secretstream.mjs';
import { volseal, volsealFloe, volsealWeb } from './volseal.mjs';
import { volume } from './volume.mjs';

const aes = 'aes-256-gcm';
const xchacha = 'xchacha20-poly1305';

export const contenders = {
  volseal: volseal(aes),
  'volseal-xchacha': volseal(xchacha),
  'volseal-web': volsealWeb(aes),
  'volseal-floe': volsealFloe(aes),
  'volseal-floe-xchacha': volsealFloe(xchacha),
  volume: volume(aes),
  'volume-xchacha': volume(xchacha),
  bare: bare(aes),
  'bare-chacha': bare(xchacha),
  ideal: ideal(aes),
  naive,
  'copy-file': kernelCopy,
  'copy-loop': userCopy,
  'plain-files': plainFiles,
  'esdk-64k': esdk(65_536),
  'esdk-4k': esdk(undefined),
  'age-encryption': ageEncryption,
  'age-program': ageProgram,
  'sodium-native': sodiumNative,
  'libsodium-wrappers': libsodiumWrappers,
  /** For cases that are not about a cipher at all: a process that does nothing. */
  node: { title: 'bare node' },
  /** For the case `small`: the primitives of one sealed file, called one after another. */
  primitives: { title: 'the bare primitives' },
};

/** Left out by --no-rivals. */
export const rivals = [
  'esdk-64k',
  'esdk-4k',
  'age-encryption',
  'age-program',
  'sodium-native',
  'libsodium-wrappers',
];
