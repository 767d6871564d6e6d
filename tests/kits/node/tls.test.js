import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { start } from "bulkd";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
let daemon;
beforeAll(async () => {
  daemon = await start({ flags: ["--tls"] });
});
afterAll(() => daemon.stop());

/** Node reads whom it trusts when a process starts. */
function application(environment, variables) {
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const env = { ...inherited, BULKD_PORT: new URL(daemon.baseUrl).port, COURIER_API_KEY: environment.apiKey, ...variables };
  return run(process.execPath, ["--import", "./redirect.mjs", "hardcoded.mjs"], { env });
}

test("an application with Courier's address in its code reaches the daemon", async () => {
  const environment = daemon.environment();
  expect(environment.variables.NODE_EXTRA_CA_CERTS).toBe(daemon.ca);
  await application(environment, { NODE_EXTRA_CA_CERTS: daemon.ca });
  expect((await environment.waitForMessage({ recipient: "ada@example.com" })).subject).toBe("Welcome");
  const [request] = await environment.requests();
  expect(request.request.headers.host).toBe("api.courier.com");
});

test("who does not trust the authority is not heard", async () => {
  const environment = daemon.environment();
  await expect(application(environment, {})).rejects.toThrow("Connection error");
  expect(await environment.requests()).toEqual([]);
});
