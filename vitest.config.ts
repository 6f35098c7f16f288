import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Starts PostgreSQL and NATS for the run, where they are installed.
    globalSetup: ['packages/server/src/testing/services-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'tools/**/*.test.ts',
            'bench/lib/**/*.test.ts',
            'faults/lib/**/*.test.ts',
          ],
        },
      },
      {
        extends: true,
        test: {
          name: 'blackbox',
          include: ['packages/*/test/**/*.test.ts'],
          // A run of its own: `npm run test:interop`.
          exclude: ['packages/server/test/interop/**'],
        },
      },
    ],
  },
})
