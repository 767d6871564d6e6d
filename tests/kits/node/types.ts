// What a TypeScript user writes is accepted, and what is wrong is not.
import { start, type Environment, type Message } from "bulkd";
import { contains, test } from "bulkd/vitest";
import { useBulkd } from "bulkd/jest";
import { setup, teardown } from "bulkd/vitest/setup";
import begin from "bulkd/jest/setup";
import end from "bulkd/jest/teardown";
// @ts-expect-error There is no default.
import nothing from "bulkd/vitest/setup";

export async function use(environment: Environment): Promise<string> {
  const message: Message = await environment.waitForMessage(
    { recipient: "ada", subject: contains("invoice"), data: { order: { n: 1 } }, "data.total": 3 },
    { timeoutMs: 500 },
  );
  const fault = await environment.fault("lost-answer", { path: "/send" });
  await fault.assertMet();
  // @ts-expect-error There is no such criterion.
  await environment.waitForMessage({ chanel: "email" });
  // @ts-expect-error There is no such preset.
  await environment.fault("lost");
  return message.code();
}

test("typed", async ({ bulkd }) => {
  await use(bulkd);
  await use(useBulkd());
  await (await start({ flags: ["--contract", "live"], timeoutMs: 5_000, onEnd: (told) => told.length })).stop();
  await using daemon = await start();
  const ended: string | undefined = daemon.ended();
  const all: (() => Promise<void>)[] = [setup, teardown, begin, end];
  nothing ?? [ended, all, daemon.pid];
});
