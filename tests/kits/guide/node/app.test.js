import { expect } from "vitest";
import { test } from "bulkd/vitest";
import { signUp, weekly } from "./app.js";

const readers = [0, 1, 2, 3, 4].map((n) => `reader-${n}@example.com`);

test("who signs up is sent a code", async ({ bulkd }) => {
  await signUp("ada@example.com");
  const message = await bulkd.waitForMessage({ recipient: "ada@example.com" });
  expect([message.channel, message.subject]).toEqual(["email", "Welcome"]);
  expect(message.code()).toBe("482913");
  expect(message.link("/verify")).toBe("https://app.example/verify?t=1");
  await bulkd.waitForNone({ channel: "sms" });
});

test("all readers are sent the weekly once, though an answer is lost", async ({ bulkd }) => {
  const lost = await bulkd.fault("lost-answer", { path: "/bulk/{job_id}" });
  await bulkd.waitForJob(await weekly(12, readers));
  await lost.assertMet();
  const messages = await bulkd.waitForMessages(5, { subject: "Week 12" });
  expect(messages.map((message) => message.address)).toEqual(readers);
  expect((await bulkd.doctor()).filter((finding) => finding.level === "error")).toEqual([]);
});
