"use strict";
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { Message } = require("./message.cjs");
const { criteria } = require("./words.cjs");

/** The daemon has refused a request of the test bench. */
class Refused extends Error {
  constructor(status, message) {
    super(`${status}: ${message}`);
    this.name = "Refused";
    this.status = status;
  }
}

/**
 * What a test has waited for was not so. It is none of `node:assert`'s errors, whose text jest hides behind two values that it
 * compares. `answer` is the whole answer of `POST /_bulkd/wait`.
 */
class NotMet extends Error {
  constructor(answer, report) {
    super(report ? `${answer.message}\n\n${report}` : answer.message);
    this.name = "NotMet";
    this.answer = answer;
  }
}

/** All of a test's own: an API key, and what the daemon holds for it. */
class Environment {
  #trusted;

  constructor(baseUrl, apiKey, ca) {
    this.baseUrl = baseUrl.replace(/\/$/, "");
    this.apiKey = apiKey;
    /** Where the daemon speaks https, the file with the certificate of its authority. */
    this.ca = ca;
    this.#trusted = ca === undefined ? {} : { ca: fs.readFileSync(ca) };
    this.clock = {
      now: async () => new Date((await this.ask("GET", "/_bulkd/clock")).now),
      advance: (by) => this.ask("POST", "/_bulkd/clock/advance", { by }),
      freeze: () => this.ask("PUT", "/_bulkd/clock", { frozen: true }),
      run: () => this.ask("PUT", "/_bulkd/clock", { frozen: false }),
    };
  }

  /** The environment variables that point Courier's SDKs here; the last is that of older ones. */
  get variables() {
    const trust = this.ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: this.ca };
    return { COURIER_BASE_URL: this.baseUrl, COURIER_API_KEY: this.apiKey, COURIER_AUTH_TOKEN: this.apiKey, ...trust };
  }

  /** Status and body of any request, under the environment's key. No proxy is asked, and no fake `fetch`. */
  call(method, path, body, query = {}) {
    const url = new URL(this.baseUrl + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        url.searchParams.set(name, String(value));
      }
    }
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${this.apiKey}`,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    };
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: false, ...this.#trusted };
      const request = (url.protocol === "https:" ? https : http).request(url, options, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode, body: read(Buffer.concat(parts).toString()) }));
      });
      request.on("error", reject);
      request.end(text);
    });
  }

  /** The body of a success. Anything else is a `Refused`. */
  async ask(method, path, body, query) {
    const answer = await this.call(method, path, body, query);
    if (answer.status >= 300) {
      throw new Refused(answer.status, answer.body?.message ?? JSON.stringify(answer.body));
    }
    return answer.body;
  }

  /** The first message that fits, as soon as there is one: `{recipient: "ada", subject: contains("invoice")}`. */
  async waitForMessage(wanted = {}, options = {}) {
    const answer = await this.#waitFor(wanted, { at_least: 1 }, options);
    return this.#message(answer.items[0]);
  }

  /** Exactly so many messages, when nothing goes on any more. At most 100 of them are given. */
  async waitForMessages(count, wanted = {}, options = {}) {
    const answer = await this.#waitFor(wanted, { exactly: count }, options);
    return Promise.all(answer.items.map((item) => this.#message(item)));
  }

  /** No message that fits, when nothing goes on any more. */
  async waitForNone(wanted = {}, options = {}) {
    await this.#waitFor(wanted, { none: true }, options);
  }

  /** The job, as soon as it has this status. */
  async waitForJob(jobId, status = "COMPLETED", options = {}) {
    return (await this.#wait({ job_id: jobId, status }, options)).items[0];
  }

  /** Until no job is on its way, no message is due, and webhooks were told all. */
  async settle(options = {}) {
    await this.#wait({ settled: true }, options);
  }

  #waitFor(wanted, count, { after, ...options }) {
    return this.#wait({ outbox: criteria(wanted), count, ...(after === undefined ? {} : { after }) }, options);
  }

  async #wait(condition, { timeoutMs = 10_000 } = {}) {
    const answer = await this.call("POST", "/_bulkd/wait", { ...condition, timeout_ms: timeoutMs });
    if (answer.status === 412) {
      throw new NotMet(answer.body, await this.report());
    }
    if (answer.status !== 200) {
      throw new Refused(answer.status, answer.body?.message ?? JSON.stringify(answer.body));
    }
    return answer.body;
  }

  /** The messages that fit the filters of `GET /_bulkd/outbox`, oldest first; of 1,000 entries at most. */
  async outbox(filters = {}) {
    const { items } = await this.ask("GET", "/_bulkd/outbox", undefined, { order: "asc", limit: 1000, ...filters });
    const first = new Map();
    for (const item of items) {
      if (!first.has(item.message_id)) {
        first.set(item.message_id, item);
      }
    }
    return Promise.all([...first.values()].map((item) => this.#message(item)));
  }

  async message(messageId) {
    return new Message(await this.ask("GET", `/_bulkd/outbox/${encodeURIComponent(messageId)}`));
  }

  async #message(item) {
    const { raw } = await this.message(item.message_id);
    const same = (delivery) => ["channel", "provider", "address"].every((name) => delivery[name] === item[name]);
    return new Message(raw, Math.max(raw.deliveries.findIndex(same), 0));
  }

  /** The newest jobs, 1,000 at most. */
  async jobs(status) {
    return (await this.ask("GET", "/_bulkd/jobs", undefined, { status, limit: 1000 })).items;
  }

  /** The last requests, the newest first. */
  async requests({ unmatched, limit = 100 } = {}) {
    return (await this.ask("GET", "/_bulkd/requests", undefined, { unmatched: unmatched ? "true" : undefined, limit })).items;
  }

  /** What passed here and would hurt at Courier, the worst first. */
  async doctor() {
    return (await this.ask("GET", "/_bulkd/doctor")).items;
  }

  /** Has a request fail: `fault("lost-answer")`, `fault({method: "POST", path: "/bulk", status: 503, call: 2})`. */
  async fault(preset, given = {}) {
    const body = typeof preset === "string" ? { preset, ...given } : preset;
    const { fault_id: faultId } = await this.ask("POST", "/_bulkd/faults", body);
    return new Fault(this, faultId);
  }

  /** How messages to an `address` or `recipient` end from now on. */
  async outcome(status, given) {
    await this.ask("PUT", "/_bulkd/outcomes", { status, ...given });
  }

  /** Something that happens to a message that went out, such as `OPENED`. */
  async happen(messageId, status, given = {}) {
    await this.ask("POST", `/_bulkd/messages/${encodeURIComponent(messageId)}/events`, { status, ...given });
  }

  /** How jobs go on: `instant`, `paced`, `manual`, `hold` or `polls`. */
  async lifecycle(mode, given = {}) {
    await this.ask("PUT", "/_bulkd/lifecycle", { mode, ...given });
  }

  /** Lets so many users of a job that waits for steps have their turn. */
  async step(jobId, users = 1) {
    return this.ask("POST", "/_bulkd/step", { job_id: jobId, users });
  }

  async snapshot(name) {
    await this.ask("PUT", `/_bulkd/snapshots/${encodeURIComponent(name)}`);
  }

  async restore(name) {
    await this.ask("POST", `/_bulkd/snapshots/${encodeURIComponent(name)}/restore`);
  }

  /** Throws all away that the environment has. */
  async reset() {
    await this.ask("POST", "/_bulkd/reset");
  }

  /** What a person wants to see beside a failed test: the last requests, and the doctor's findings. */
  async report() {
    const requests = (await this.requests({ limit: 10 })).reverse();
    const findings = (await this.doctor()).filter((finding) => finding.level !== "info");
    const lines = requests.map((it) => `  ${it.method} ${it.path} -> ${it.status}`);
    const told = findings.map((it) => {
      const seen = (it.seen ?? []).map((example) => `\n    seen: ${example.what}`).join("");
      return `  ${it.level} ${it.check}${seen}\n    do: ${it.advice}`;
    });
    return [
      ...(lines.length > 0 ? ["The last requests:", ...lines] : []),
      ...(told.length > 0 ? ["What would hurt at Courier:", ...told] : []),
    ].join("\n");
  }
}

/** A fault that was set. */
class Fault {
  #environment;

  constructor(environment, faultId) {
    this.#environment = environment;
    this.faultId = faultId;
  }

  /** How it stands: `seen`, `fired`, `left`. */
  async state() {
    let cursor;
    do {
      const page = await this.#environment.ask("GET", "/_bulkd/faults", undefined, { cursor });
      const found = page.items.find((fault) => fault.fault_id === this.faultId);
      if (found) {
        return found;
      }
      cursor = page.paging.more ? page.paging.cursor : undefined;
    } while (cursor);
    throw new Refused(404, `there is no fault ${this.faultId} any more`);
  }

  /** Fails if it has hit nothing: a test that wants to see a failure is to have seen it. */
  async assertMet() {
    const { fired, seen } = await this.state();
    if (!fired) {
      throw new Error(`the fault ${this.faultId} has hit nothing; ${seen} requests matched it`);
    }
  }

  async remove() {
    await this.#environment.ask("DELETE", `/_bulkd/faults/${encodeURIComponent(this.faultId)}`);
  }
}

function read(text) {
  if (text === "") {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

module.exports = { Environment, Fault, NotMet, Refused };
