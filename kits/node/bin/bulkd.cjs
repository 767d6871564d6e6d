#!/usr/bin/env node
"use strict";
// The daemon of the platform's own package, with these arguments. Its end is this process's end.
const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const { findBinary } = require("../lib/binary.cjs");

/** Which of these scripts has started this process, if one has. */
const SHIM = "BULKD_SHIM";
const STOP = "BULKD_STOP_WITH_STDIN";

function fail(message) {
  console.error(message);
  process.exit(1);
}

if (process.env[SHIM]) {
  fail(`${process.env[SHIM]} has found no daemon but this script, ${__filename}: BULKD_BINARY or the PATH leads to it`);
}
let file;
try {
  file = findBinary();
} catch (error) {
  fail(error.message);
}
const given = process.argv.slice(2);
const env = { ...process.env, [SHIM]: __filename };
// A daemon, and no other command, stops when its standard input ends, which is a pipe of this process: also where this one is
// killed.
const serves = given.length === 0 || given[0] === "serve" || given[0].startsWith("-");
const asked = given.includes("--stop-with-stdin") || !["", "0", "f", "false", "n", "no", "off"].includes((env[STOP] ?? "").toLowerCase());
if (serves) {
  env[STOP] = "true";
}
const daemon = spawn(file, given, { stdio: [serves ? "pipe" : "inherit", "inherit", "inherit"], env });
if (serves) {
  daemon.stdin?.on("error", () => {});
}
if (serves && asked) {
  // What comes in is nothing to a daemon. Its end is.
  process.stdin.on("end", () => daemon.stdin?.end()).on("error", () => daemon.stdin?.end()).resume();
}
// A terminal sends these to both; from elsewhere they come here alone.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => daemon.kill(signal));
}
daemon.on("error", (error) => fail(`${file} cannot be started: ${error.message}`));
daemon.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
