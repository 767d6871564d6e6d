"use strict";
// What vitest and jest have in common: one daemon for the run, found by BULKD_URL, or else one for each process or thread.
const { randomUUID } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");
const { start } = require("./daemon.cjs");
const { Environment } = require("./environment.cjs");

const URL_VARIABLE = "BULKD_URL";
/** The file with the certificate of its authority, where it speaks https. */
const CA_VARIABLE = "BULKD_CA";
/** Flags for the daemon, separated by blanks. */
const FLAGS_VARIABLE = "BULKD_FLAGS";
/** The address, where it is that of a daemon that `begin` has started. */
const STARTED_VARIABLE = "BULKD_STARTED";

/**
 * Runners give each file of tests modules and globals of its own, and end without a word. The process behind them is the same for
 * all files that run in it, or in a thread of it: it holds their daemon.
 */
const OF_PROCESS = Symbol.for("bulkd.daemon");
const itself = vm.runInThisContext("process");

let ofRun;
/** What was put into NODE_EXTRA_CA_CERTS, and what was there before. */
let trusted;

const launch = (options) => start({ flags: (process.env[FLAGS_VARIABLE] ?? "").split(/\s+/).filter(Boolean), ...options });

/** The daemon of this process or thread. */
function ofProcess() {
  itself[OF_PROCESS] ??= launch().then((daemon) => {
    // A worker may stay for as long as a test does after the runner was killed.
    itself.once("disconnect", () => daemon.stop());
    return daemon;
  });
  return itself[OF_PROCESS];
}

/** Before all tests: starts the run's daemon, unless one is named already. */
async function begin() {
  if (process.env[URL_VARIABLE]) {
    return;
  }
  // The tests, which are in other processes, can only see that nothing answers.
  ofRun = await launch({ onEnd: (told) => console.error(told) });
  process.env[URL_VARIABLE] = process.env[STARTED_VARIABLE] = ofRun.baseUrl;
  if (ofRun.ca !== undefined) {
    process.env[CA_VARIABLE] = ofRun.ca;
    // Node reads it when a process starts: workers do, from now on.
    const own = process.env.NODE_EXTRA_CA_CERTS;
    trusted = { before: own, file: own === undefined ? ofRun.ca : joined(own, ofRun.ca) };
    process.env.NODE_EXTRA_CA_CERTS = trusted.file;
  }
}

/** A file with the certificates of both, in the daemon's folder, which goes with it. Node goes on without one that is not there. */
function joined(own, ca) {
  const file = path.join(path.dirname(ca), "trusted.pem");
  const there = [own, ca].filter((it) => fs.existsSync(it));
  fs.writeFileSync(file, there.map((it) => `${fs.readFileSync(it, "utf8").trimEnd()}\n`).join(""));
  return file;
}

/** After all tests. */
async function end() {
  if (ofRun) {
    for (const name of [URL_VARIABLE, CA_VARIABLE, STARTED_VARIABLE]) {
      delete process.env[name];
    }
    // The next run, where the runner goes on, has another authority.
    if (trusted !== undefined && process.env.NODE_EXTRA_CA_CERTS === trusted.file) {
      set("NODE_EXTRA_CA_CERTS", trusted.before);
    }
    await ofRun.stop();
    ofRun = undefined;
  }
}

/** A fresh environment of the daemon that is there. Throws where none is, and says why. */
async function fresh() {
  const apiKey = `test-${randomUUID()}`;
  const url = process.env[URL_VARIABLE];
  if (!url) {
    const daemon = await ofProcess();
    const ended = () => daemon.ended();
    if (ended()) {
      throw new Error(ended());
    }
    return { environment: daemon.environment(apiKey), ended };
  }
  try {
    const environment = new Environment(url, apiKey, process.env[CA_VARIABLE]);
    await environment.ask("GET", "/_bulkd/health");
    return { environment, ended: () => undefined };
  } catch (error) {
    const why = error.message || error.code;
    if (url === process.env[STARTED_VARIABLE]) {
      throw new Error(`bulkd, which was started for the run, answers no more at ${url}: ${why}; the run has printed how it ended`);
    }
    const ca = process.env[CA_VARIABLE] ?? "not set";
    const hint = url.startsWith("https:") ? `; ${CA_VARIABLE}, the file with the authority of its https, is ${ca}` : "";
    throw new Error(`no bulkd answers at ${url}, which ${URL_VARIABLE} names: ${why}${hint}`);
  }
}

/** The variables of the tests that run, and what there was before the first of them. */
const running = [];
const before = new Map();

/** A fresh environment, with Courier's SDKs pointed at it, and what takes that back. */
async function enter() {
  const { environment, ended } = await fresh();
  const { variables } = environment;
  running.push(variables);
  for (const [name, value] of Object.entries(variables)) {
    if (!before.has(name)) {
      before.set(name, process.env[name]);
    }
    process.env[name] = value;
  }
  const leave = () => {
    running.splice(running.indexOf(variables), 1);
    for (const [name, value] of Object.entries(variables)) {
      // Tests that run at the same time leave in any order. Another's value, or one that the test has set, stays.
      if (process.env[name] === value) {
        set(name, running.findLast((it) => name in it)?.[name] ?? before.get(name));
      }
    }
    if (running.length === 0) {
      before.clear();
    }
  };
  return { environment, ended, leave };
}

function set(name, value) {
  if (value === undefined) {
    delete process.env[name];
  } else {
    process.env[name] = value;
  }
}

/** Beside a failed test: what its environment was asked for, and what the doctor has found. A `NotMet` has said it. */
async function tell({ environment, ended }, errors) {
  if (errors.every((error) => error?.name === "NotMet")) {
    return;
  }
  const silent = (error) => ended() ?? `bulkd does not answer any more: ${error.message || error.code}`;
  const report = await environment.report().catch(silent);
  if (report) {
    console.error(report);
  }
}

module.exports = { begin, end, enter, tell };
