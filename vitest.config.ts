import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{api,server,cli,web}/src/**/*.test.{ts,tsx}', 'tests/**/*.test.ts'],
    // Many tests wait for a real client or a browser rather than for the processor.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ['server/src/stores/postgres/testing-setup.ts'],
  },
})
