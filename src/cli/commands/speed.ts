/** `volseal speed`: what this machine's processor gives, suite by suite, on one core and in memory. */

import { suites } from '../../aead/registry.ts';
import type { Suite } from '../../aead/suite.ts';
import { chooseChaChaBackend } from '../../aead/xchacha.ts';
import { FloeDecryptor } from '../../floe/decryptor.ts';
import { FloeEncryptor } from '../../floe/encryptor.ts';
import { dataKeyBytes, defaultSegmentBytes } from '../../limits.ts';
import { throwIfAborted } from '../../options.ts';
import { randomSecret } from '../../random.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';

interface Rate {
  mibPerSecond: number;
  /** Of processor time, all threads, for each GiB. */
  cpuSecondsPerGib: number;
}

interface SuiteSpeed {
  suite: Suite;
  /** Who does the arithmetic: OpenSSL of the runtime, or JavaScript where the runtime lacks the cipher. */
  backend: 'node' | 'noble';
  default: boolean;
  seal: Rate;
  open: Rate;
}

const measureMs = 400;
const warmUpMs = 50;
/** What is sealed or opened between two looks at the clock: a mebibyte, so that the data stays in the processor's cache. */
const segmentsPerRound = 16;

export async function speed(io: Io, reporter: Reporter): Promise<number> {
  const results: SuiteSpeed[] = [];
  for (const suite of suites) {
    throwIfAborted(io.signal);
    results.push(measureSuite(suite));
    // Signals are only seen between turns of the event loop.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const [normal] = results;
  const fastest = results.toSorted(
    (a, b) => b.seal.mibPerSecond + b.open.mibPerSecond - a.seal.mibPerSecond - a.open.mibPerSecond,
  )[0];
  const document = {
    segmentBytes: defaultSegmentBytes,
    defaultSuite: normal?.suite,
    fastestSuite: fastest?.suite,
    suites: results,
    node: process.versions.node,
    openssl: process.versions.openssl,
    arch: process.arch,
  };
  if (reporter.json) {
    reporter.document(document);
    return exitCodes.done;
  }
  reporter.print('suite                 seal MiB/s   open MiB/s   seal CPU s/GiB   open CPU s/GiB');
  for (const { open, seal, suite } of results) {
    const columns = [suite.padEnd(20), column(seal.mibPerSecond, 12, 0), column(open.mibPerSecond, 13, 0)];
    reporter.print(
      [...columns, column(seal.cpuSecondsPerGib, 17, 2), column(open.cpuSecondsPerGib, 17, 2)].join(''),
    );
  }
  reporter.print(
    `\nOne core, in memory, segments of ${defaultSegmentBytes.toLocaleString('en-US')} bytes; a Fly volume gives 16 to 128 MiB/s.`,
  );
  reporter.print(`Default: ${normal?.suite}.${advice(results)}`);
  return exitCodes.done;
}

function column(value: number, width: number, digits: number): string {
  return value.toFixed(digits).padStart(width);
}

/** Only a difference that can be felt is worth a word. */
function advice([normal, ...others]: readonly SuiteSpeed[]): string {
  const slower = (a: SuiteSpeed, b: SuiteSpeed): boolean => a.seal.mibPerSecond * 1.5 < b.seal.mibPerSecond;
  const faster = others.find((other) => normal !== undefined && slower(normal, other));
  if (faster !== undefined) return ` Here ${faster.suite} is faster: encrypt with --suite ${faster.suite}`;
  return ' It is the right one for this machine.';
}

function measureSuite(suite: Suite): SuiteSpeed {
  const key = randomSecret(dataKeyBytes);
  const encryptor = FloeEncryptor.start(key, { suite, segmentBytes: defaultSegmentBytes });
  const decryptor = FloeDecryptor.start(key, encryptor.header);
  const plain = randomSecret(encryptor.plainSegmentBytes);
  const sealed = encryptor.sealSegment(plain, 0, false);
  const seal = measure(plain.length, () => encryptor.sealSegmentParts([plain], 0, false));
  const open = measure(plain.length, () => decryptor.openSegmentParts([sealed], 0, false));
  encryptor.wipe();
  decryptor.wipe();
  const backend = suite === 'aes-256-gcm' ? 'node' : chooseChaChaBackend().name;
  return { suite, backend, default: suite === suites[0], seal, open };
}

function measure(plainBytes: number, once: () => unknown): Rate {
  const run = (forMs: number): { bytes: number; seconds: number; cpuSeconds: number } => {
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    let bytes = 0;
    let elapsedMs = 0;
    for (; elapsedMs < forMs; elapsedMs = performance.now() - startedMs) {
      for (let i = 0; i < segmentsPerRound; i++) once();
      bytes += plainBytes * segmentsPerRound;
    }
    const { user, system } = process.cpuUsage(cpu);
    return { bytes, seconds: elapsedMs / 1_000, cpuSeconds: (user + system) / 1_000_000 };
  };
  run(warmUpMs);
  const { bytes, cpuSeconds, seconds } = run(measureMs);
  return {
    mibPerSecond: round(bytes / 1_048_576 / seconds, 1),
    cpuSecondsPerGib: round(cpuSeconds / (bytes / 1_073_741_824), 3),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
