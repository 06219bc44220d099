import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { UnavailableError } from '../contenders/keys.mjs';
import { median } from '../lib/stats.mjs';

export const id = 'start-up';
export const title = 'Start-up';
export const unit = 'ms';
export const better = 'lower';
export const note = 'From the start of a process to its end. `node` is `node -e 0`.';

const dist = new URL('../../dist/', import.meta.url);

export function cases({ quick }) {
  const runs = quick ? 3 : 8;
  return [
    {
      id: 'version',
      title: '`volseal --version`',
      runs,
      operations: ['run'],
      contenders: ['volseal', 'node'],
    },
    {
      id: 'import',
      title: 'import of the package',
      runs,
      operations: ['run'],
      contenders: [
        'volseal',
        'node',
        ...(quick ? [] : ['esdk-64k', 'age-encryption', 'sodium-native', 'libsodium-wrappers']),
      ],
    },
  ];
}

function commandFor(caseId, contender, contenderId) {
  if (contenderId === 'node') return ['-e', '0'];
  if (caseId === 'version') return [builtFile('cli/bin.js'), '--version'];
  const specifier =
    contenderId === 'volseal'
      ? pathToFileURL(builtFile('index.js')).href
      : import.meta.resolve(contender.package);
  return ['-e', `import(${JSON.stringify(specifier)})`];
}

function builtFile(name) {
  const file = new URL(name, dist);
  if (!existsSync(file)) throw new UnavailableError(`there is no dist/${name}`);
  return fileURLToPath(file);
}

export async function measure({ id: caseId, runs }, contender, _operation, { contenderId }) {
  const args = commandFor(caseId, contender, contenderId);
  const times = [];
  for (let run = 0; run <= runs; run++) {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const elapsed = performance.now() - start;
    if (status !== 0)
      throw new UnavailableError(`exits with ${status}: ${String(stderr).trim().split('\n').at(-1)}`);
    if (run > 0) times.push(elapsed); // the first brings the files into the page cache
  }
  return { value: median(times) };
}
