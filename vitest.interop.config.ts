import { defineConfig } from 'vitest/config'

/** The vendor's client SDKs in a real browser: a run of its own, for it fetches them from the registry. */
export default defineConfig({
  test: {
    name: 'interop',
    include: ['packages/server/test/interop/*.test.ts'],
    globalSetup: ['packages/server/test/interop/support/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
