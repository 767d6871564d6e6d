// What a TypeScript user writes is accepted, and what is wrong is not.
import { start, type Environment, type Message } from "bulkd";
import { contains, test } from "bulkd/vitest";
import { useBulkd } from "bulkd/jest";

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
  await (await start({ flags: ["--contract", "live"] })).stop();
});
