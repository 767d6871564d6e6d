export default { test: { globalSetup: ["bulkd/vitest/setup"], testTimeout: 60_000 } };
