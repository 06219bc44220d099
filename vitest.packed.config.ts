import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** What is tested on the packed and installed package: `npm run test:package` and the end of `npm run test:runtimes`. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/package/**/*.test.ts', 'test/runtimes/**/*.test.ts'],
    globalSetup: ['test/package/packed.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default config;
