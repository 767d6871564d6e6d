"use strict";
const { spawn } = require("node:child_process");
const { randomUUID } = require("node:crypto");
const { createInterface } = require("node:readline");
const { findBinary } = require("./binary.cjs");
const { Environment } = require("./environment.cjs");

/** Lines of the daemon's log that are kept for an error. */
const LINES = 200;
const STOP_MS = 20_000;

/** A daemon of its own: on a free port, with a file that is thrown away, and a clock that can be moved. */
class Daemon {
  #process;
  #lines;
  #ended;

  constructor(process, baseUrl, lines, ended, ca) {
    this.#process = process;
    this.#lines = lines;
    this.#ended = ended;
    this.baseUrl = baseUrl;
    /** With `--tls` the file with the certificate of its authority. */
    this.ca = ca;
  }

  /** The environment of a key, by default of a new one, which has nothing yet. */
  environment(apiKey = `test-${randomUUID()}`) {
    return new Environment(this.baseUrl, apiKey, this.ca);
  }

  /** The last lines of its log, from warnings on. */
  log() {
    return this.#lines.join("\n");
  }

  async stop() {
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(late);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}

/** Starts a daemon, and is done when it answers. `flags` come behind those that tests need. */
async function start({ flags = [], binary = findBinary() } = {}) {
  const all = ["--ephemeral", "--listen", "127.0.0.1:0", "--test-clock", "--log", "warn", ...flags];
  // Settings of a daemon that this machine has otherwise are not meant.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("BULKD_")));
  const child = spawn(binary, all, { stdio: ["ignore", "pipe", "pipe"], env });
  const lines = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    lines.splice(0, lines.length - LINES);
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const failed = new Promise((_, reject) => {
    child.once("error", (error) => reject(new Error(`${binary} cannot be started: ${error.message}`)));
    ended.then(() => reject(new Error(`${binary} ${all.join(" ")} did not start:\n${lines.join("\n")}`)));
  });
  // Where it has started, its end is no failure.
  failed.catch(() => {});
  const stop = () => child.kill("SIGKILL");
  process.once("exit", stop);
  ended.then(() => process.removeListener("exit", stop));
  const first = new Promise((resolve) => {
    let address;
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (address) {
        // The authority is told before anything else.
        resolve([address, /^The certificate of its authority is (.*)$/.exec(line)?.[1]]);
        return;
      }
      address = /https?:\/\/[^\s,;]+/.exec(line)?.[0];
      if (address?.startsWith("http:")) {
        resolve([address]);
      }
    });
  });
  const [baseUrl, ca] = await Promise.race([first, failed]);
  // A process that is done does not wait for its daemon.
  child.unref();
  child.stdout.unref();
  child.stderr.unref();
  return new Daemon(child, baseUrl, lines, ended, ca);
}

module.exports = { Daemon, start };
