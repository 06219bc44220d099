/** A user's code compiles against the packed types, and a wrong use of them does not. */

import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { run } from './run.ts';

const consumer = inject('consumer');
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const compilers = {
  '5.9': here('./node_modules/typescript-5.9/bin/tsc'),
  '7.0': here('../../node_modules/typescript/bin/tsc'),
};

const strict = { strict: true, noEmit: true, skipLibCheck: false, types: ['node'] };
const settings = {
  nodenext: {
    compilerOptions: {
      ...strict,
      module: 'nodenext',
      moduleResolution: 'nodenext',
      target: 'es2023',
      exactOptionalPropertyTypes: true,
    },
    files: ['app.ts', 'commonjs.cts'],
  },
  bundler: {
    compilerOptions: {
      ...strict,
      module: 'esnext',
      moduleResolution: 'bundler',
      target: 'es2022',
      lib: ['es2023', 'dom'],
    },
    files: ['app.ts'],
  },
};

for (const [version, compiler] of Object.entries(compilers)) {
  for (const [resolution, config] of Object.entries(settings)) {
    test(`TypeScript ${version}, ${resolution}`, () => {
      expect(run(process.execPath, [compiler, '--version']).output).toContain(`Version ${version}.`);
      const folder = join(consumer, `types-${version}-${resolution}`);
      cpSync(here('./consumers/'), folder, { recursive: true });
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      expect(run(process.execPath, [compiler, '--pretty', 'false'], { cwd: folder })).toEqual({
        code: 0,
        output: '',
      });
    });
  }
}

test('a type that went missing would be found', () => {
  const folder = join(consumer, 'types-broken');
  cpSync(here('./consumers/'), folder, { recursive: true });
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ ...settings.nodenext, files: ['broken.ts'] }),
  );
  writeFileSync(join(folder, 'broken.ts'), `import { encryptFiles } from 'volseal';\nencryptFiles();\n`);
  const { code, output } = run(process.execPath, [compilers['7.0'], '--pretty', 'false'], { cwd: folder });
  expect(output).toContain(`has no exported member named 'encryptFiles'`);
  expect(code).not.toBe(0);
});
