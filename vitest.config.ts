import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

const config: ViteUserConfig = defineConfig({
  resolve: {
    // Examples import the package by its name; here that is the source, the same modules that the tests import.
    alias: [
      { find: /^volseal$/, replacement: source('index.ts') },
      { find: /^volseal\/(floe|kms|rotate)$/, replacement: `${source('')}$1/index.ts` },
      { find: /^volseal\/testing$/, replacement: source('testing.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // They have runs of their own (`npm run test:package`, `test:runtimes`, `test:interop`, `test:long`).
    exclude: [
      ...configDefaults.exclude,
      'test/package/**',
      'test/runtimes/**',
      'test/interop/**',
      '**/*.long.test.ts',
    ],
    globalSetup: ['test/build.ts'],
    testTimeout: 90_000,
    // By itself vitest leaves one processor idle, which on two is half the machine.
    maxWorkers: '100%',
  },
});

export default config;
