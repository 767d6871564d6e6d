export default { test: { globalSetup: ["bulkd/vitest/setup"], include: ["failing/vitest.js"] } };
