// The same as vitest.js, with jest.
const { useBulkd } = require("bulkd/jest");
const { forgotten } = require("./forgotten.cjs");

const bulkd = useBulkd();

test("waits for what does not come", async () => {
  await forgotten();
  await bulkd.waitForMessage({ recipient: "bob" }, { timeoutMs: 0 });
});

test("asserts what is not so", async () => {
  await forgotten();
  expect(await bulkd.outbox()).toHaveLength(1);
});

test("passes", async () => {
  await forgotten();
  expect(await bulkd.outbox()).toEqual([]);
});
