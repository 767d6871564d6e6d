import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { NotMet, Refused, start } from "bulkd";
import { absent, contains, matches, test } from "bulkd/vitest";
import { describe, expect } from "vitest";
import { signUp, weekly } from "./app.js";

describe.each([1, 2, 3])("environment %i", () => {
  test("each test has one of its own", async ({ bulkd }) => {
    await signUp("ada@example.com");
    const [message] = await bulkd.waitForMessages(1);
    expect([message.address, message.subject, message.code()]).toEqual(["ada@example.com", "Welcome", "482913"]);
    expect(message.link("/verify")).toBe("https://app.example/verify?t=1");
    expect(message.link(/v.rify/)).toBe(message.links[0]);
    expect(message.data).toEqual({ plan: { n: 7 } });
    expect(message.request.personalizations).toHaveLength(1);
    expect(() => message.link("nowhere")).toThrow("no link that matches nowhere");
  });
});

test("messages are found by what is in them", async ({ bulkd }) => {
  await bulkd.waitForJob(await weekly(5));
  expect((await bulkd.waitForMessage({ recipient: "u3", data: { n: 3 } })).body).toBe("3");
  expect((await bulkd.waitForMessage({ subject: contains("eek"), body: matches("^4$") })).recipient).toBe("u4");
  expect(await bulkd.waitForMessages(5, { channel: "email", error: absent() })).toHaveLength(5);
  expect(await bulkd.waitForMessages(2, { body: /^[12]$/ })).toHaveLength(2);
  expect((await bulkd.outbox({ q: "u2" })).map((it) => it.recipient)).toEqual(["u2"]);
  await bulkd.waitForNone({ channel: "sms" });
  await bulkd.settle();
  const failed = await bulkd.waitForNone({ channel: "email" }).catch((error) => error);
  expect(failed).toBeInstanceOf(NotMet);
  expect(failed.message).toMatch(/found 5[^]*The last requests:[^]*POST \/bulk -> 201/);
  await expect(bulkd.waitForMessage({ recipient: "nobody" }, { timeoutMs: 0 })).rejects.toThrow("Nearest is");
  await expect(bulkd.waitForMessage({ chanel: "email" })).rejects.toThrow(Refused);
});

test("requests fail when a test asks for it", async ({ bulkd }) => {
  const lost = await bulkd.fault("lost-answer");
  const refused = await bulkd.fault({ method: "POST", path: "/bulk/{job_id}/run", status: 503 });
  await expect(lost.assertMet()).rejects.toThrow("has hit nothing");
  await signUp("ada@example.com");
  await lost.assertMet();
  // The SDK has sent it again, without an idempotency key.
  expect(await bulkd.waitForMessages(2, { recipient: "ada@example.com" })).toHaveLength(2);
  expect((await bulkd.doctor()).map((it) => it.check)).toContain("retry-made-second");
  await expect(weekly(1)).rejects.toThrow("503");
  expect((await refused.state()).fired).toBe(1);
  await refused.remove();
  expect((await bulkd.requests())[0].status).toBe(503);
});

test("time passes, and states are brought back", async ({ bulkd }) => {
  const before = await bulkd.clock.now();
  await bulkd.outcome("UNDELIVERABLE", { address: "bob@example.com", reason: "BOUNCED" });
  await signUp("bob@example.com");
  await bulkd.waitForMessage({ recipient: "bob@example.com", status: "UNDELIVERABLE" });
  await bulkd.snapshot("one");
  await bulkd.clock.advance("1h");
  expect((await bulkd.clock.now()) - before).toBeGreaterThanOrEqual(3_600_000);
  await signUp("ada@example.com");
  const { messageId } = await bulkd.waitForMessage({ recipient: "ada@example.com" });
  await bulkd.happen(messageId, "OPENED");
  await bulkd.waitForMessage({ recipient: "ada@example.com", status: "OPENED" });
  await bulkd.restore("one");
  await bulkd.waitForNone({ recipient: "ada@example.com" });
  await bulkd.reset();
  expect(await bulkd.outbox()).toEqual([]);
  await bulkd.lifecycle("manual");
  const jobId = await weekly(3);
  expect((await bulkd.step(jobId, 2)).left).toBe(1);
  expect((await bulkd.jobs())[0].status).toBe("PROCESSING");
});

test("a daemon is started without a test runner", async () => {
  const daemon = await start({ flags: ["--contract", "live"] });
  expect(await daemon.environment().jobs()).toEqual([]);
  await daemon.stop();
  await expect(start({ flags: ["--nothing"] })).rejects.toThrow("unexpected argument '--nothing'");
  await expect(start({ binary: "/nowhere/bulkd" })).rejects.toThrow("cannot be started");
});

test("a daemon is waited for no longer than it may take", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bulkd-"));
  const binary = path.join(folder, "slow");
  fs.writeFileSync(binary, "#!/bin/sh\necho still busy >&2\nread line\n", { mode: 0o755 });
  await expect(start({ binary, timeoutMs: 3000 })).rejects.toThrow(/has not said its address within 3 s:\nstill busy$/);
  fs.rmSync(folder, { recursive: true });
});

test("a daemon starts whose messages go to standard output", async () => {
  const daemon = await start({ flags: ["--deliver", "all=-"] });
  expect(await daemon.environment().jobs()).toEqual([]);
  await daemon.stop();
});
