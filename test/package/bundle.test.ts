/** An app bundled by esbuild runs where no node_modules is, and carries nothing of the command line. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { run, withSecret } from './run.ts';

const consumer = inject('consumer');
const esbuild = fileURLToPath(new URL('./node_modules/.bin/esbuild', import.meta.url));

const app = `
import { decrypt, encrypt, VolsealError } from 'volseal';
import { flySecrets } from 'volseal/kms';

async function main() {
  const keys = flySecrets();
  const sealed = await encrypt(new TextEncoder().encode('bundled'), { keys });
  console.log(new TextDecoder().decode(await decrypt(sealed, { keys })));
  sealed[sealed.length - 1] ^= 1;
  await decrypt(sealed, { keys }).catch((error) => console.log(error instanceof VolsealError, error.code));
}
main();
`;

test.each([
  ['esm', 'mjs'],
  ['cjs', 'cjs'],
])('as %s', (format, extension) => {
  const source = join(consumer, `app-${format}.js`);
  writeFileSync(source, app);
  // Outside the consumer's folder, where an import that was not bundled would fail.
  const alone = mkdtempSync(join(tmpdir(), 'volseal-bundle-'));
  onTestFinished(() => rmSync(alone, { recursive: true, force: true }));
  const outfile = join(alone, `app.${extension}`);
  const args = ['--bundle', '--platform=node', `--format=${format}`, `--outfile=${outfile}`];
  const bundled = run(esbuild, [source, ...args], { cwd: consumer });
  expect(bundled.output).not.toMatch(/warning|error/i);
  expect(bundled.code).toBe(0);
  expect(readFileSync(outfile, 'utf8')).not.toContain('commander');
  expect(run(process.execPath, [outfile], { cwd: alone, env: withSecret })).toEqual({
    code: 0,
    output: 'bundled\ntrue ERR_VOLSEAL_TAMPERED\n',
  });
});
