// One daemon for the whole run.
export default { test: { globalSetup: ["bulkd/vitest/setup"] } };
