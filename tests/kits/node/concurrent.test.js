// Tests that run at the same time leave the variables as they were.
import { test as fixtures } from "bulkd/vitest";
import { describe, expect, test } from "vitest";

const before = { ...process.env };
const order = [];
let release;
const released = new Promise((resolve) => { release = resolve; });
let begun = 0;
let allBegun;
const bothRun = new Promise((resolve) => { allBegun = resolve; });

describe("at the same time", () => {
  for (const name of ["first", "second"]) {
    fixtures.concurrent(name, async ({ bulkd }) => {
      begun += 1;
      if (begun === 2) {
        allBegun();
      }
      await bothRun;
      // The first that was entered ends first: the key of the second is the one that stays until its end.
      if (process.env.COURIER_API_KEY !== bulkd.apiKey) {
        release();
      } else {
        await released;
      }
      order.push(name);
    });
  }
});

test("the variables are as they were", () => {
  expect(order).toHaveLength(2);
  for (const name of ["COURIER_BASE_URL", "COURIER_API_KEY", "COURIER_AUTH_TOKEN"]) {
    expect(process.env[name]).toBe(before[name]);
  }
});

fixtures("what a test has set itself stays", async ({ bulkd }) => {
  expect(process.env.COURIER_API_KEY).toBe(bulkd.apiKey);
  process.env.COURIER_API_KEY = "mine";
});

test("and is there", () => {
  expect(process.env.COURIER_API_KEY).toBe("mine");
  expect(process.env.COURIER_BASE_URL).toBe(before.COURIER_BASE_URL);
});
