'use strict';
// What the Node suites share: where bulkd listens, a fresh environment for each test, the exchanges as they went over
// the wire, and the outbox. Load it before any SDK: the 4.x client keeps the fetch that it finds when it is loaded.

const { randomUUID } = require('node:crypto');
const facts = require('../facts.json');

const exchanges = [];
const send = globalThis.fetch;

globalThis.fetch = async (url, init = {}) => {
  const response = await send(url, init);
  exchanges.push({
    url: String(url),
    status: response.status,
    type: response.headers.get('content-type'),
    text: await response.clone().text(),
  });
  return response;
};

/** Does the work and gives back what it said on the wire meanwhile, whether it came to a good end or not. */
async function overheard(work) {
  const before = exchanges.length;
  const [outcome] = await Promise.allSettled([work()]);
  return { error: outcome.reason, value: outcome.value, exchanges: exchanges.slice(before) };
}

/** Of a job, or by another parameter of the outbox. */
async function outbox(url, key, id, by = 'job_id') {
  const response = await send(`${url}/_bulkd/outbox?fields=all&${by}=${id}`, { headers: { Authorization: `Bearer ${key}` } });
  return response.json();
}

/** A call of the test bench of an environment. */
async function bench(key, method, path, body) {
  const headers = { Authorization: `Bearer ${key}` };
  const response = await send(`${module.exports.tutorial}/_bulkd/${path}`, {
    method, headers, body: body && JSON.stringify(body),
  });
  return response.json();
}

module.exports = {
  facts,
  id: new RegExp(facts.id),
  tutorial: process.env.BULKD_URL,
  openapi: process.env.BULKD_OPENAPI_URL,
  live: process.env.BULKD_LIVE_URL,
  freshKey: () => `sdk-${randomUUID()}`,
  overheard,
  outbox,
  bench,
};
