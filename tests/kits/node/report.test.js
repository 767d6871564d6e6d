// What somebody reads whose test has failed, with both runners.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";

const count = (text, part) => text.split(part).length - 1;

/** What a run prints that fails, without colours. */
function failed(...command) {
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
  const done = spawnSync("npx", ["--no", "--", ...command], { encoding: "utf8", env: { ...env, NO_COLOR: "1", FORCE_COLOR: "0" } });
  expect(done.status, done.stderr).toBe(1);
  return done.stdout + done.stderr;
}

describe.each([
  ["vitest", ["vitest", "run", "--config", "failing/vitest.config.js"]],
  ["jest", ["jest", "--testMatch", "**/failing/jest.cjs"]],
])("%s", (_, command) => {
  test("shows what the application did and what the doctor found", () => {
    const told = failed(...command);
    // Once by the wait itself, whose text is all there is, and once beside the failed assertion. Not for what passes.
    expect(told).toMatch(/wanted at least 1 message in the outbox with recipient "bob"; found 0/);
    expect(told).not.toContain("Compared values");
    expect(told).toMatch(/no-event[^]*do: Name an event/);
    expect(count(told, "The last requests:\n")).toBe(2);
    expect(count(told, "POST /bulk -> 201\n")).toBe(2);
  });
});
