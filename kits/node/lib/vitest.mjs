import { test as base } from "vitest";
import shared from "./shared.cjs";

/** vitest's `test`, with `bulkd`: an environment of the test's own, with Courier's SDKs pointed at it. */
export const test = base.extend({
  bulkd: async ({ onTestFailed }, use) => {
    const entered = await shared.enter();
    onTestFailed(({ task }) => shared.tell(entered, task.result?.errors ?? []));
    await use(entered.environment);
    entered.leave();
  },
});
export const it = test;
export { absent, contains, equals, matches, present } from "./index.cjs";
