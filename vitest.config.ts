import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/faults/check/checker.test.ts'],
          // Many tests start real processes, on machines of two cores that do other things too.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'checker',
          // A minute and a half of small processes that wait for each other: bin/test.mjs runs it beside others.
          include: ['test/faults/check/checker.test.ts'],
          testTimeout: 3 * 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/pipeline.test.ts'],
          testTimeout: 15 * 60_000,
          hookTimeout: 5 * 60_000,
        },
      },
      {
        test: {
          name: 'long',
          // Each has a server, a worker and a root of its own: they may run side by side.
          include: ['test/e2e/**/*.test.ts'],
          exclude: ['test/e2e/pipeline.test.ts', 'test/e2e/faults.test.ts'],
          testTimeout: 15 * 60_000,
          hookTimeout: 5 * 60_000,
        },
      },
      {
        test: {
          name: 'campaign',
          // Two runs at once by itself.
          include: ['test/e2e/faults.test.ts'],
          testTimeout: 15 * 60_000,
          hookTimeout: 15 * 60_000,
        },
      },
    ],
  },
});
