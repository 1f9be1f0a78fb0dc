import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["src/**/*.test.ts", "detectors/**/*.test.ts", "instrumentation/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/chaos/**", "test/bench/**"],
    // The ClickHouse engine and lmdb are native and one per process: forks keep them apart.
    pool: "forks",
    // Many suites wait for processes of their own: two at a time leave a third of two cores idle.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
