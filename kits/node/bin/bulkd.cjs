#!/usr/bin/env node
"use strict";
// The daemon of the platform's own package, with these arguments. Its end is this process's end.
const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const { findBinary } = require("../lib/binary.cjs");

let file;
try {
  file = findBinary();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const daemon = spawn(file, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends these to both; from elsewhere they come here alone.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => daemon.kill(signal));
}
daemon.on("error", (error) => {
  console.error(`${file} cannot be started: ${error.message}`);
  process.exit(1);
});
daemon.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
