import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Tests that take too long for every run: `npm run test:long`. */
const config: ViteUserConfig = defineConfig({
  test: { include: ['test/**/*.long.test.ts'], globalSetup: ['test/build.ts'], testTimeout: 1_200_000 },
});

export default config;
