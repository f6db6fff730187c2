import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{api,server,cli,web}/src/**/*.test.{ts,tsx}', 'tests/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ['server/src/stores/postgres/testing-setup.ts'],
  },
})
