// No daemon is left behind, however a run of vitest or jest ends, and one that ends by itself is said to have ended.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { start } from "bulkd";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const require = createRequire(import.meta.url);
const VITEST = path.join(path.dirname(require.resolve("vitest/package.json")), "vitest.mjs");
const JEST = path.join(path.dirname(require.resolve("jest/package.json")), "bin/jest.js");
const FILES = 3;

/** Tests that say where their daemon is. With STAYS they end no sooner than that. */
const TELL = `
const fs = require("node:fs");
const { randomUUID } = require("node:crypto");
exports.tell = async (url) => {
  const file = __dirname + "/" + randomUUID();
  fs.writeFileSync(file, url);
  fs.renameSync(file, file + ".url");
  while (process.env.STAYS) {
    await fetch(url + "/_bulkd/health");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};`;
const OF_VITEST = `
import { test } from "bulkd/vitest";
import { tell } from "./tell.cjs";
test("tells", ({ bulkd }) => tell(bulkd.baseUrl), 0);`;
const OF_JEST = `
const bulkd = require("bulkd/jest").useBulkd();
const { tell } = require("./tell.cjs");
test("tells", () => tell(bulkd.baseUrl), 600_000);`;

let folder;
beforeEach(() => {
  // Here, where the packages are.
  folder = fs.mkdtempSync(path.resolve("ending-"));
  fs.writeFileSync(`${folder}/tell.cjs`, TELL);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

async function waitUntil(what, isSo) {
  // Less than a test may last: what has been started is ended then.
  for (const until = Date.now() + 50_000; !(await isSo()); ) {
    expect(Date.now(), `never so: ${what}`).toBeLessThan(until);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const answers = (url) =>
  new Promise((resolve) => {
    const socket = net.connect(new URL(url).port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false)).once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });

function environment(more) {
  const own = ([name]) => !/^(VITEST|JEST|BULKD_(URL|CA|STARTED)$|NODE_OPTIONS$)/.test(name);
  return { ...Object.fromEntries(Object.entries(process.env).filter(own)), NO_COLOR: "1", FORCE_COLOR: "0", ...more };
}

/** The command of a run with so many files. */
function run(runner, files, flags, withSetup) {
  const all = Array.from({ length: files }, (_, n) => `${folder}/${n}.${runner === "vitest" ? "js" : "cjs"}`);
  all.forEach((file) => fs.writeFileSync(file, runner === "vitest" ? OF_VITEST : OF_JEST));
  if (runner === "vitest") {
    const config = { include: ["*.js"], exclude: ["config.js"], root: folder, ...(withSetup && { globalSetup: ["bulkd/vitest/setup"] }) };
    fs.writeFileSync(`${folder}/config.js`, `export default { test: ${JSON.stringify(config)} };`);
    return [VITEST, "run", "--config", `${folder}/config.js`, ...flags];
  }
  const setup = withSetup && { globalSetup: "bulkd/jest/setup", globalTeardown: "bulkd/jest/teardown" };
  const config = { rootDir: process.cwd(), roots: [folder], testMatch: ["**/[0-9].cjs"], ...setup };
  return [JEST, "--config", JSON.stringify(config), ...flags];
}

const urls = () => fs.readdirSync(folder).filter((it) => it.endsWith(".url")).map((it) => fs.readFileSync(`${folder}/${it}`, "utf8"));
const noneIsLeft = (told) =>
  waitUntil(`no daemon is left of ${told}`, async () => !(await Promise.all(told.map(answers))).includes(true));

const one = "--maxWorkers=1";
describe("a run that passes leaves no daemon behind", () => {
  test.each([
    ["vitest", true, [], 1],
    ["vitest", false, ["--pool=forks"], FILES],
    ["vitest", false, ["--pool=threads"], FILES],
    ["vitest", false, ["--pool=vmForks", one]],
    ["vitest", false, ["--pool=vmThreads", one]],
    ["vitest", false, ["--pool=forks", "--no-isolate", one], 1],
    ["vitest", false, ["--pool=threads", "--no-isolate", one], 1],
    ["jest", true, [], 1],
    ["jest", false, ["--runInBand"], 1],
    ["jest", false, ["--maxWorkers=2"]],
    ["jest", false, ["--maxWorkers=2", "--workerThreads"]],
  ])("%s, with a global setup: %s, %j", async (runner, withSetup, flags, daemons) => {
    const done = spawnSync(process.execPath, run(runner, FILES, flags, withSetup), { env: environment(), encoding: "utf8", timeout: 50_000 });
    expect(done.status, done.stdout + done.stderr).toBe(0);
    const told = urls();
    expect(told).toHaveLength(FILES);
    if (daemons !== undefined) {
      expect(new Set(told).size).toBe(daemons);
    }
    await noneIsLeft(told);
  });
});

describe("a run that is ended leaves no daemon behind", () => {
  const runs = ["vitest", "jest"].flatMap((runner) => [true, false].map((withSetup) => [runner, withSetup]));
  const ends = ["SIGKILL", "SIGTERM", "SIGINT"];
  test.each(ends.flatMap((by) => runs.map((it) => [by, ...it])))("by %s, %s, with a global setup: %s", async (by, runner, withSetup) => {
    // Both files at a time, each in a process of its own.
    const child = spawn(process.execPath, run(runner, 2, ["--maxWorkers=2"], withSetup), {
      stdio: "ignore",
      detached: true,
      env: environment({ STAYS: "1" }),
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    try {
      await waitUntil("all tests are on their way", () => urls().length === 2);
      const told = urls();
      expect(await Promise.all(told.map(answers))).not.toContain(false);
      child.kill(by);
      await noneIsLeft(told);
    } finally {
      // Its workers too, some of which go on without it for ever.
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {}
      await closed;
    }
  });
});

test.each(["SIGKILL", "SIGTERM"])("a program that is ended by %s leaves no daemon behind", async (by) => {
  const program = 'const { start } = require("bulkd"); start().then((it) => { console.log(it.baseUrl); setInterval(() => {}, 1000); });';
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((resolve) => child.stdout.once("data", (text) => resolve(String(text).trim())));
  expect(await answers(url)).toBe(true);
  child.kill(by);
  await noneIsLeft([url]);
});

test("a program that is done does not wait for its daemon, nor leaves it behind", async () => {
  const program = 'require("bulkd").start().then((it) => console.log(it.baseUrl));';
  const done = spawnSync(process.execPath, ["-e", program], { encoding: "utf8", timeout: 50_000 });
  expect([done.status, done.stderr]).toEqual([0, ""]);
  await noneIsLeft([done.stdout.trim()]);
});

test("a daemon that ends by itself is said to have ended", async () => {
  let onEnd;
  const told = new Promise((resolve) => { onEnd = resolve; });
  const daemon = await start({ onEnd });
  expect(daemon.ended()).toBeUndefined();
  process.kill(daemon.pid, "SIGKILL");
  expect(await told).toBe("bulkd ended with signal SIGKILL; its log:\nis empty");
  expect(daemon.ended()).toBe(await told);
  await daemon.stop();
});

/** What a run prints whose tests are these. */
function printed(runner, withSetup, more, text) {
  const command = run(runner, 1, [], withSetup);
  fs.writeFileSync(`${folder}/0.${runner === "vitest" ? "js" : "cjs"}`, text);
  const done = spawnSync(process.execPath, command, { env: environment(more), encoding: "utf8", timeout: 50_000 });
  expect(done.status, done.stdout + done.stderr).toBe(1);
  return done.stdout + done.stderr;
}

// A daemon's parent alone knows its id; the journal of the operating system is asked who has the port.
const KILL = `
const fs = require("node:fs");
exports.kill = (url) => {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const entry = fs.readFileSync("/proc/net/tcp", "utf8").split("\\n").find((it) => it.includes("0100007F:" + port + " 00000000:0000 0A"));
  const socket = "socket:[" + entry.trim().split(/ +/)[9] + "]";
  const owns = (pid) => { try { return fs.readdirSync("/proc/" + pid + "/fd").some((fd) => { try { return fs.readlinkSync("/proc/" + pid + "/fd/" + fd) === socket; } catch { return false; } }); } catch { return false; } };
  process.kill(Number(fs.readdirSync("/proc").find((it) => /^[0-9]+$/.test(it) && owns(it))), "SIGKILL");
};`;
describe.skipIf(process.platform !== "linux").each([
  ["vitest", 'import { test } from "bulkd/vitest";\nimport { kill } from "./kill.cjs";\n', ["({ bulkd })", "({ bulkd: _ })"]],
  ["jest", 'const bulkd = require("bulkd/jest").useBulkd();\nconst { kill } = require("./kill.cjs");\n', ["()", "()"]],
])("%s", (runner, head, [first, second]) => {
  const tests = `${head}
test("kills", async ${first} => { kill(bulkd.baseUrl); for (;;) await bulkd.jobs(); });
test("comes later", async ${second} => {});`;

  test.each([true, false])("a daemon that was killed is said to have been killed, with a global setup: %s", (withSetup) => {
    fs.writeFileSync(`${folder}/kill.cjs`, KILL);
    const told = printed(runner, withSetup, {}, tests);
    expect(told).toContain("bulkd ended with signal SIGKILL; its log:");
    // The second test is not let begin.
    const later = /which was started for the run, answers no more at http:.*ECONNREFUSED/;
    expect(told).toMatch(withSetup ? later : /bulkd ended with[^]*comes later[^]*bulkd ended with/);
  });

  test("an address where nothing answers is said with its name", async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${server.address().port}`;
    await new Promise((resolve) => server.close(resolve));
    fs.writeFileSync(`${folder}/kill.cjs`, KILL);
    expect(printed(runner, true, { BULKD_URL: url }, tests)).toMatch(
      new RegExp(`no bulkd answers at ${url}, which BULKD_URL names: .*ECONNREFUSED`),
    );
    expect(printed(runner, false, { BULKD_URL: "127.0.0.1:4010" }, tests)).toContain(
      "no bulkd answers at 127.0.0.1:4010, which BULKD_URL names: ",
    );
  });
});
