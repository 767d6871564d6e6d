import type { TestAPI } from "vitest";
import type { Environment } from "./index.js";

/** vitest's `test`, with `bulkd`: an environment of the test's own, with Courier's SDKs pointed at it. */
export const test: TestAPI<{ bulkd: Environment }>;
export const it: typeof test;
export { absent, contains, equals, matches, present } from "./index.js";
