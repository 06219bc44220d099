/** What the benchmark must reach, computed from its figures. */

import { sizeTitle } from './names.mjs';

const encryptDecrypt = ['encrypt', 'decrypt'];
const sealOpen = ['seal', 'open'];

/** The sizes of a bar, and those that stand in for them in a quick run. */
const sizes = {
  full: {
    segment: '64-kib',
    buffer: '16-mib',
    stream: '128-mib',
    file: '1-gib',
    memory: ['1-gib', '4-gib'],
    limited: '4-gib-in-256-mib',
    smallFiles: '10000-of-1-kib',
    wholeFile: '64-mib',
    volumeMemory: ['256-mib', '2-gib'],
  },
  quick: {
    segment: '64-kib',
    buffer: '16-mib',
    stream: '8-mib',
    file: '64-mib',
    memory: ['128-mib'],
    limited: '320-mib-in-256-mib',
    smallFiles: '200-of-1-kib',
    wholeFile: '16-mib',
    volumeMemory: ['128-mib'],
  },
};

function ratioBar(target, text, operation, place, ours, theirs, options = {}) {
  return {
    text: `${text}, ${operation}`,
    target,
    sign: options.atMost ? '≤' : '≥',
    suffix: ' ×',
    stretch: options.stretch ?? false,
    value(figures, node) {
      return figures.ratio(node, ...place(operation), ours, theirs);
    },
  };
}

/** Each file is written and read back: the seconds of both together. */
function writtenAndReadBar(target, text, caseId) {
  return {
    text,
    target,
    sign: '≥',
    suffix: ' ×',
    stretch: false,
    value(figures, node) {
      const [own, plain] = ['volume', 'plain-files'].map((id) => {
        const [write, read] = ['write', 'read'].map((operation) =>
          figures.median(node, 'volume-small-files', caseId, operation, id),
        );
        return write === undefined || read === undefined ? undefined : 1 / write + 1 / read;
      });
      return own === undefined || plain === undefined ? undefined : plain / own;
    },
  };
}

/** Memory is bounded, and by the same whatever the size of the file. */
function volumeMemoryBars(caseIds) {
  const largest = caseIds.at(-1);
  return ['write stream', 'read stream', 'random writes'].flatMap((operation) => {
    const peak = (figures, node, caseId) =>
      figures.median(node, 'volume-memory', caseId, operation, 'volume');
    const absolute = atMostBar(
      `volume: peak memory, ${sizeTitle(largest)} file, ${operation}`,
      160,
      ' MiB',
      (figures, node) => peak(figures, node, largest),
    );
    if (caseIds.length === 1) return [absolute];
    const [smallest] = caseIds;
    const growth = atMostBar(
      `volume: peak memory, ${sizeTitle(largest)} file beside ${sizeTitle(smallest)}, ${operation}`,
      1.25,
      ' ×',
      (figures, node) => {
        const [large, small] = [largest, smallest].map((caseId) => peak(figures, node, caseId));
        return large === undefined || small === undefined ? undefined : large / small;
      },
    );
    return [absolute, growth];
  });
}

/** What volumes must reach. */
function volumeBars(size) {
  const reads = (caseId) => (operation) => ['volume-reads', caseId, operation];
  const writes = (caseId) => (operation) => ['volume-writes', caseId, operation];
  const files = size.smallFiles.split('-')[0];
  const counted = Number(files).toLocaleString('en');
  return [
    writtenAndReadBar(
      0.5,
      `volume: ${counted} files of 1 KiB written and read back, beside plain files`,
      size.smallFiles,
    ),
    writtenAndReadBar(
      0.6,
      `volume: ${counted} files of 1 KiB written and read back without sync, beside plain files`,
      `${size.smallFiles}-no-sync`,
    ),
    ratioBar(
      0.8,
      'volume: random 4 KiB reads, cold, beside read and decipher of the segment',
      'read',
      reads('cold'),
      'volume',
      'bare',
    ),
    ratioBar(
      4,
      'volume: random 4 KiB reads, hot, beside `FileHandle.read` of a plain file',
      'read',
      reads('hot'),
      'volume',
      'plain-files',
    ),
    ratioBar(
      0.35,
      'volume: random 4 KiB writes with a sync for each 100, beside a plain file',
      'sync',
      writes('random-4-kib'),
      'volume',
      'plain-files',
    ),
    ratioBar(
      0.4,
      'volume: appends of 200 bytes with a sync each, beside a plain file',
      'sync',
      writes('append-200'),
      'volume',
      'plain-files',
    ),
    ratioBar(
      0.6,
      `volume: \`writeFile\` of ${sizeTitle(size.wholeFile)}, beside plain files`,
      'write',
      (operation) => ['volume-whole-files', size.wholeFile, operation],
      'volume',
      'plain-files',
    ),
    ...volumeMemoryBars(size.volumeMemory),
  ];
}

function atMostBar(text, target, suffix, value, options = {}) {
  return { text, target, sign: '≤', suffix, value, stretch: options.stretch ?? false };
}

function differenceBar(text, target, caseId) {
  return atMostBar(text, target, ' ms', (figures, node) => {
    const own = figures.median(node, 'start-up', caseId, 'run', 'volseal');
    const bare = figures.median(node, 'start-up', caseId, 'run', 'node');
    return own === undefined || bare === undefined ? undefined : own - bare;
  });
}

export function bars({ quick }) {
  const size = sizes[quick ? 'quick' : 'full'];
  const segments = (suite) => (operation) => ['segments', `${suite}-${size.segment}`, operation];
  const buffer = (suffix) => (operation) => ['buffer', `${size.buffer}${suffix}`, operation];
  const stream = (operation) => ['stream', size.stream, operation];
  const file = (operation) => ['file', size.file, operation];
  const fileSize = sizeTitle(size.file);

  const rivalBars = [
    ['esdk-64k', 3, 'ESDK-JS at 64 KiB frames'],
    ['esdk-4k', 9, 'ESDK-JS at its default frames'],
    ['age-encryption', 12, 'age-encryption'],
  ].flatMap(([rival, target, name]) => [
    ...encryptDecrypt.map((op) => ratioBar(target, `streams beside ${name}`, op, stream, 'volseal', rival)),
    ...encryptDecrypt.map((op) =>
      ratioBar(target, `${fileSize} files beside ${name}`, op, file, 'volseal', rival),
    ),
  ]);

  return [
    ...sealOpen.map((op) =>
      ratioBar(
        0.92,
        'segments of 64 KiB, aes-256-gcm, beside the bare loop',
        op,
        segments('aes-256-gcm'),
        'volseal',
        'bare',
      ),
    ),
    ...sealOpen.map((op) =>
      ratioBar(
        0.92,
        'segments of 64 KiB, xchacha20-poly1305, beside the bare ChaCha20-Poly1305 loop',
        op,
        segments('xchacha20-poly1305'),
        'volseal-xchacha',
        'bare-chacha',
      ),
    ),
    ...['volseal', 'volseal-floe'].flatMap((ours) =>
      encryptDecrypt.map((op) =>
        ratioBar(
          0.92,
          `contiguous ${ours === 'volseal' ? '`encrypt`/`decrypt`' : '`floeEncrypt`/`floeDecrypt`'} beside the bare loop that copies`,
          op,
          buffer(''),
          ours,
          'bare',
        ),
      ),
    ),
    ...['volseal-xchacha', 'volseal-floe-xchacha'].flatMap((ours) =>
      encryptDecrypt.map((op) =>
        ratioBar(
          0.92,
          `contiguous ${ours === 'volseal-xchacha' ? '`encrypt`/`decrypt`' : '`floeEncrypt`/`floeDecrypt`'}, xchacha20-poly1305, beside the bare loop that copies`,
          op,
          buffer('-xchacha'),
          ours,
          'bare-chacha',
        ),
      ),
    ),
    ...encryptDecrypt.map((op) =>
      ratioBar(0.9, `${fileSize} files beside \`ideal\``, op, file, 'volseal', 'ideal'),
    ),
    ...encryptDecrypt.map((op) =>
      ratioBar(1.6, `${fileSize} files beside \`naive\``, op, file, 'volseal', 'naive'),
    ),
    ...encryptDecrypt.map((op) =>
      ratioBar(2, `${fileSize} files beside \`naive\``, op, file, 'volseal', 'naive', { stretch: true }),
    ),
    ...encryptDecrypt.map((op) =>
      ratioBar(0.75, `${fileSize} files beside \`fs.copyFile\``, op, file, 'volseal', 'copy-file', {
        stretch: true,
      }),
    ),
    ...encryptDecrypt.map((op) =>
      atMostBar(
        `CPU seconds per GiB beside bare cipher + user-space copy, ${op}`,
        1.25,
        ' ×',
        (figures, node) => {
          const [own, bare, copy] = ['volseal', 'bare', 'copy-loop'].map((id) =>
            figures.median(node, 'cpu', size.file, op, id),
          );
          return own === undefined || bare === undefined || copy === undefined
            ? undefined
            : own / (bare + copy);
        },
      ),
    ),
    ...rivalBars,
    ...encryptDecrypt.map((op) =>
      ratioBar(2, `${fileSize} files beside the age program`, op, file, 'volseal', 'age-program'),
    ),
    ...sealOpen.map((op) =>
      ratioBar(
        1.4,
        'xchacha20-poly1305 segments beside sodium-native secretstream',
        op,
        segments('xchacha20-poly1305'),
        'volseal-xchacha',
        'sodium-native',
      ),
    ),
    ...encryptDecrypt.map((op) =>
      ratioBar(
        1.4,
        'xchacha20-poly1305 streams beside sodium-native secretstream',
        op,
        stream,
        'volseal-xchacha',
        'sodium-native',
      ),
    ),
    ...encryptDecrypt.map((op) =>
      ratioBar(
        1.4,
        `xchacha20-poly1305 ${fileSize} files beside sodium-native secretstream`,
        op,
        file,
        'volseal-xchacha',
        'sodium-native',
      ),
    ),
    ratioBar(
      0.9,
      'random 4 KiB reads, segments of 16 KiB, beside read and decipher of the segment',
      'read',
      (operation) => ['range', '4-kib-of-16-kib-segments', operation],
      'volseal',
      'bare',
    ),
    ...size.memory.flatMap((caseId) =>
      encryptDecrypt.map((op) => ({
        text: `peak memory, ${sizeTitle(caseId)} file, ${op}`,
        // Node 20 has no ArrayBuffer.prototype.transfer.
        target: (node) => (node >= 22 ? 96 : 112),
        sign: '≤',
        suffix: ' MiB',
        stretch: false,
        value: (figures, node) => figures.median(node, 'memory', caseId, op, 'volseal'),
      })),
    ),
    {
      text: `a file of ${sizeTitle(size.limited)} of memory completes`,
      target: 1,
      sign: 'yes',
      suffix: '',
      stretch: false,
      value(figures, node) {
        const record = figures.record(node, 'memory-limit', size.limited, 'encrypt', 'volseal');
        if (record === undefined || record.skipped !== undefined) return undefined;
        return record.failed === undefined ? 1 : 0;
      },
    },
    ...encryptDecrypt.map((op) =>
      atMostBar(`event-loop delay p99 during a file, ${op}`, 5, ' ms', (figures, node) => {
        const caseId = quick ? '128-mib' : '1-gib';
        return figures.median(node, 'event-loop', caseId, op, 'volseal');
      }),
    ),
    ratioBar(
      1.8,
      '`encrypt` of 1 KiB beside the sum of its primitives',
      'encrypt',
      (operation) => ['small-message', '1-kib', operation],
      'volseal',
      'primitives',
      { atMost: true },
    ),
    ...volumeBars(size),
    differenceBar('`volseal --version` over bare node', 15, 'version'),
    differenceBar('import of `volseal` over bare node', 30, 'import'),
  ];
}

/** One bar on one Node: its figure, its target and whether it is met; undefined without a figure. */
export function judge(bar, figures, node) {
  const value = bar.value(figures, node);
  if (value === undefined) return undefined;
  const target = typeof bar.target === 'function' ? bar.target(node) : bar.target;
  const met = bar.sign === '≤' ? value <= target : value >= target;
  return { value, target, met };
}
