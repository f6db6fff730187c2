import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{api,server,cli,web,agent}/src/**/*.test.{ts,tsx}', 'tests/**/*.test.ts'],
    // Many tests wait for a real client or a browser rather than for the processor.
    maxWorkers: 3,
    // Real servers, browsers and clients on a shared machine: one try more in CI, which names what needed it.
    retry: process.env['CI'] ? 1 : 0,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ['server/src/stores/postgres/testing-setup.ts'],
  },
})
