// The daemon's file: which is started, which is not, and who ends it.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";

const require = createRequire(import.meta.url);
const installed = path.dirname(require.resolve("bulkd/package.json"));
const platform = `@bulkd/${process.platform}-${process.arch}`;
const { BULKD_BINARY: _, ...env } = process.env;

let modules;
let shim;
beforeEach(() => {
  modules = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "bulkd-")), "node_modules");
  shim = path.join(modules, "bulkd/bin/bulkd.cjs");
  fs.cpSync(installed, path.join(modules, "bulkd"), { recursive: true });
});
afterEach(() => fs.rmSync(path.dirname(modules), { recursive: true }));

const copyPlatform = () => fs.cpSync(path.join(installed, "..", platform), path.join(modules, platform), { recursive: true });
const runShim = () => spawnSync(process.execPath, [shim, "--version"], { encoding: "utf8", env: { ...env, PATH: modules } });

test("a file that is not the one that was released is not started", () => {
  copyPlatform();
  expect(runShim()).toMatchObject({ status: 0, stderr: "", stdout: expect.stringMatching(/^bulkd \d/) });
  const file = path.join(modules, platform, "bulkd");
  fs.appendFileSync(file, "x");
  const done = runShim();
  expect([done.status, done.stdout]).toEqual([1, ""]);
  expect(done.stderr).toContain(`${file} is not the file that was released: its SHA-256 is `);
});

test("who lacks the platform's package is told its name", () => {
  const done = runShim();
  expect([done.status, done.stdout]).toEqual([1, ""]);
  expect(done.stderr).toContain(`there is no daemon for ${process.platform} ${process.arch}: the package ${platform} is not`);
});

test.each(["SIGTERM", "SIGINT"])("%s to the shim ends the daemon", async (signal) => {
  copyPlatform();
  const flags = ["--ephemeral", "--listen", "127.0.0.1:0", "--log", "warn"];
  const child = spawn(process.execPath, [shim, ...flags], { stdio: ["ignore", "pipe", "inherit"], env });
  // Its output is closed when the daemon has ended, too, which writes to the same.
  const closed = new Promise((resolve) => child.once("close", (...ended) => resolve(ended)));
  try {
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve).once("close", () => reject(new Error("no line")));
    });
    const [url] = /http:\/\/[^\s,]+/.exec(line);
    expect((await fetch(`${url}/_bulkd/health`)).status).toBe(200);
    child.kill(signal);
    expect(await closed).toEqual([0, null]);
    await expect(fetch(`${url}/_bulkd/health`)).rejects.toThrow();
  } finally {
    child.kill("SIGKILL");
  }
});
