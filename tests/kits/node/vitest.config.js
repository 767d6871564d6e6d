// The tests of failing/ are run by report.test.js.
export default { test: { globalSetup: ["bulkd/vitest/setup"], testTimeout: 60_000 } };
