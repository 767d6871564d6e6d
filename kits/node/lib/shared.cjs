"use strict";
// What vitest and jest have in common: one daemon for the run, found by BULKD_URL, or else one for each worker.
const { randomUUID } = require("node:crypto");
const { start } = require("./daemon.cjs");
const { Environment } = require("./environment.cjs");

const URL_VARIABLE = "BULKD_URL";
/** The file with the certificate of its authority, where it speaks https. */
const CA_VARIABLE = "BULKD_CA";
/** Flags for the daemon, separated by blanks. */
const FLAGS_VARIABLE = "BULKD_FLAGS";

let ofRun;
let ofWorker;

const launch = () => start({ flags: (process.env[FLAGS_VARIABLE] ?? "").split(/\s+/).filter(Boolean) });

/** Before all tests: starts the run's daemon, unless one is named already. */
async function begin() {
  if (process.env[URL_VARIABLE]) {
    return;
  }
  ofRun = await launch();
  process.env[URL_VARIABLE] = ofRun.baseUrl;
  if (ofRun.ca !== undefined) {
    process.env[CA_VARIABLE] = ofRun.ca;
    // Node reads it when a process starts: workers do, from now on.
    process.env.NODE_EXTRA_CA_CERTS ??= ofRun.ca;
  }
}

/** After all tests. */
async function end() {
  if (ofRun) {
    delete process.env[URL_VARIABLE];
    delete process.env[CA_VARIABLE];
    await ofRun.stop();
    ofRun = undefined;
  }
}

/** A fresh environment, with Courier's SDKs pointed at it, and what takes that back. */
async function enter() {
  let [baseUrl, ca] = [process.env[URL_VARIABLE], process.env[CA_VARIABLE]];
  if (!baseUrl) {
    ofWorker ??= launch();
    ({ baseUrl, ca } = await ofWorker);
  }
  const environment = new Environment(baseUrl, `test-${randomUUID()}`, ca);
  const before = {};
  for (const [name, value] of Object.entries(environment.variables)) {
    before[name] = process.env[name];
    process.env[name] = value;
  }
  const leave = () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) {
        delete process.env[name];
      } else {
        process.env[name] = value;
      }
    }
  };
  return { environment, leave };
}

/** Beside a failed test: what its environment was asked for, and what the doctor has found. A `NotMet` has said it. */
async function tell(environment, errors) {
  if (errors.every((error) => error?.name === "NotMet")) {
    return;
  }
  const report = await environment.report().catch((error) => `bulkd does not answer any more: ${error.message}`);
  if (report) {
    console.error(report);
  }
}

module.exports = { begin, end, enter, tell };
