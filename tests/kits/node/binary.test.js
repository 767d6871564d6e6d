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

test("a platform without a package is told which have one", () => {
  const file = path.join(modules, "bulkd/package.json");
  const about = JSON.parse(fs.readFileSync(file, "utf8"));
  about.optionalDependencies = { "@bulkd/plan9-x64": about.version, "@bulkd/plan9-arm64": about.version };
  fs.writeFileSync(file, JSON.stringify(about));
  const done = runShim();
  expect([done.status, done.stdout]).toEqual([1, ""]);
  expect(done.stderr).toContain(`${process.platform} ${process.arch}: there are packages for plan9-x64, plan9-arm64, and no`);
});

test("scripts that lead back are no daemon", () => {
  // As pnpm has it in .bin: a script, not a link. It goes first on the PATH of a package's scripts.
  const bin = path.join(modules, ".bin");
  fs.mkdirSync(bin);
  const script = path.join(bin, "bulkd");
  fs.writeFileSync(script, `#!/bin/sh\nexec "${process.execPath}" "${shim}" "$@"\n`, { mode: 0o755 });
  const among = (more) => ({ encoding: "utf8", timeout: 60_000, env: { ...env, ...more, PATH: `${bin}:/bin:/usr/bin` } });
  const done = spawnSync(script, ["--version"], among({}));
  expect([done.status, done.stdout]).toEqual([1, ""]);
  expect(done.stderr).toContain("there is no daemon for ");
  const led = spawnSync(script, ["--version"], among({ BULKD_BINARY: script }));
  expect([led.status, led.stdout]).toEqual([1, ""]);
  expect(led.stderr).toContain(`${shim} has found no daemon but this script, ${shim}: BULKD_BINARY or the PATH leads to it`);
  // Another's binary behind it on the PATH is found.
  const other = path.join(modules, "other");
  fs.mkdirSync(other);
  fs.cpSync(path.join(installed, "..", platform, "bulkd"), path.join(other, "bulkd"));
  expect(spawnSync(script, ["--version"], { ...among({}), env: { ...env, PATH: `${bin}:${other}:/bin:/usr/bin` } }).stdout).toMatch(/^bulkd \d/);
});

/** The shim with a daemon, and where that is. */
async function served(flags, stdin) {
  copyPlatform();
  const all = ["--ephemeral", "--listen", "127.0.0.1:0", "--log", "warn", ...flags];
  const child = spawn(process.execPath, [shim, ...all], { stdio: [stdin, "pipe", "inherit"], env });
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve).once("close", () => reject(new Error("it has said nothing")));
  });
  return [child, new Promise((resolve) => child.once("close", (...ended) => resolve(ended))), /http:\/\/[^\s,]+/.exec(line)[0]];
}

test("the daemon does not outlive the shim that is killed", async () => {
  const [child, closed, url] = await served([], "ignore");
  // An end of the shim's own standard input is none of the daemon's.
  expect((await fetch(`${url}/_bulkd/health`)).status).toBe(200);
  child.kill("SIGKILL");
  await closed;
  await expect(fetch(`${url}/_bulkd/health`)).rejects.toThrow();
});

test("who asks for it has the daemon stop with the shim's standard input", async () => {
  const [child, closed, url] = await served(["--stop-with-stdin"], "pipe");
  expect((await fetch(`${url}/_bulkd/health`)).status).toBe(200);
  child.stdin.end("what comes in is nothing to it");
  expect(await closed).toEqual([0, null]);
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
