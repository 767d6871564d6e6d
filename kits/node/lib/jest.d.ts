import type { Environment } from "./index.js";

/** Gives each test of the file an environment of its own, with Courier's SDKs pointed at it. */
export function useBulkd(): Environment;
export { absent, contains, equals, matches, present } from "./index.js";
