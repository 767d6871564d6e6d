"use strict";
const { spawn } = require("node:child_process");
const { randomUUID } = require("node:crypto");
const { createInterface } = require("node:readline");
const { findBinary } = require("./binary.cjs");
const { Environment } = require("./environment.cjs");

/** Lines of the daemon's log that are kept for an error. */
const LINES = 200;
const START_MS = 30_000;
const STOP_MS = 20_000;
const READ_MS = 5_000;

const ADDRESS = /^bulkd answers on (https?:\/\/[^\s,;]+)/;
const AUTHORITY = /^The certificate of its authority is (.*)$/;

/**
 * A daemon of its own: on a free port, with a file that is thrown away, and a clock that can be moved. It ends with this process
 * or thread, however that ends, which holds the other end of its standard input.
 */
class Daemon {
  #process;
  #lines;
  #ended;
  #stopping = false;

  constructor(child, baseUrl, lines, ended, { ca, onEnd } = {}) {
    this.#process = child;
    this.#lines = lines;
    this.#ended = ended;
    this.baseUrl = baseUrl;
    /** With `--tls` the file with the certificate of its authority. */
    this.ca = ca;
    ended.then(() => this.#stopping || onEnd?.(this.ended()));
  }

  /** The id of its process. */
  get pid() {
    return this.#process.pid;
  }

  /** The environment of a key, by default of a new one, which has nothing yet. */
  environment(apiKey = `test-${randomUUID()}`) {
    return new Environment(this.baseUrl, apiKey, this.ca);
  }

  /** The last lines of its log, from warnings on. */
  log() {
    return this.#lines.join("\n");
  }

  /** How it has ended, with the last lines of its log; undefined while it runs. */
  ended() {
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) {
      return undefined;
    }
    return `bulkd ended with ${signalCode ? `signal ${signalCode}` : `code ${exitCode}`}; its log:\n${this.log() || "is empty"}`;
  }

  async stop() {
    this.#stopping = true;
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS);
    // Its output has an end behind its own, for which a process that holds it open is not waited for.
    let given;
    const longest = new Promise((resolve) => (given = setTimeout(resolve, STOP_MS + READ_MS)));
    await Promise.race([this.#ended, longest]);
    clearTimeout(late);
    clearTimeout(given);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}

/**
 * Starts a daemon, and is done when it answers. `flags` come behind those that tests need. `onEnd` is told when it ends without
 * having been stopped.
 */
async function start({ flags = [], binary = findBinary(), timeoutMs = START_MS, onEnd } = {}) {
  const all = ["--ephemeral", "--listen", "127.0.0.1:0", "--test-clock", "--log", "warn", "--stop-with-stdin", ...flags];
  const command = `${binary} ${all.join(" ")}`;
  // Settings of a daemon that this machine has otherwise are not meant.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("BULKD_")));
  const cannot = (error) => new Error(`${binary} cannot be started: ${error.message}`);
  let child;
  try {
    child = spawn(binary, all, { stdio: "pipe", env });
  } catch (error) {
    throw cannot(error);
  }
  const streams = [child.stdin, child.stdout, child.stderr];
  const lines = [];
  const said = [];
  const ended = new Promise((resolve) => child.once("close", resolve));
  let late;
  try {
    const [baseUrl, ca] = await new Promise((resolve, reject) => {
      child.once("error", (error) => reject(cannot(error)));
      // It is told on standard output, or on standard error where messages are delivered to standard output.
      const isStarted = addressIn(said);
      const hear = (stream, line) => {
        const found = isStarted(stream, line);
        if (found) {
          resolve(found);
        }
      };
      listen(child.stdout, (line) => hear("stdout", line));
      listen(child.stderr, (line) => {
        lines.push(line);
        lines.splice(0, lines.length - LINES);
        hear("stderr", line);
      });
      ended.then(() => reject(new Error(`${command} did not start:\n${said.join("\n")}`)));
      late = setTimeout(() => {
        reject(new Error(`${command} has not said its address within ${timeoutMs / 1000} s:\n${said.join("\n")}`));
      }, timeoutMs);
    });
    // A process that is done does not wait for its daemon.
    child.unref();
    streams.forEach((stream) => stream.unref());
    return new Daemon(child, baseUrl, lines, ended, { ca, onEnd });
  } catch (error) {
    child.kill("SIGKILL");
    streams.forEach((stream) => stream?.destroy());
    throw error;
  } finally {
    clearTimeout(late);
  }
}

/** Looks at line by line for the address, and the authority's file, which is told right behind it where it speaks https. */
function addressIn(said) {
  let address;
  let from;
  let found;
  return (stream, line) => {
    if (found) {
      return undefined;
    }
    said.push(line);
    said.splice(0, said.length - LINES);
    if (address === undefined) {
      address = ADDRESS.exec(line)?.[1];
      from = stream;
      found = address?.startsWith("http:") ? [address] : undefined;
    } else if (stream === from) {
      found = [address, AUTHORITY.exec(line)?.[1]];
    }
    return found;
  };
}

function listen(stream, heard) {
  createInterface({ input: stream }).on("line", heard);
}

module.exports = { Daemon, start };
