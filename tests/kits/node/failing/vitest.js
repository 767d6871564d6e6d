// Two tests that fail, for report.test.js: one by what it waits for, one by an assertion of its own.
import { expect } from "vitest";
import { test } from "bulkd/vitest";
import { forgotten } from "./forgotten.cjs";

test("waits for what does not come", async ({ bulkd }) => {
  await forgotten();
  await bulkd.waitForMessage({ recipient: "bob" }, { timeoutMs: 0 });
});

test("asserts what is not so", async ({ bulkd }) => {
  await forgotten();
  expect(await bulkd.outbox()).toHaveLength(1);
});
