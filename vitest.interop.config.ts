import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** What the independent Python program reads and refuses: the end of `npm run test:interop`. */
const config: ViteUserConfig = defineConfig({
  test: { include: ['test/interop/**/*.test.ts'], globalSetup: ['test/build.ts'], testTimeout: 120_000 },
});

export default config;
