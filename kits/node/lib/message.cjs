"use strict";

/**
 * A message with all its deliveries. `raw` is the whole answer of `GET /_bulkd/outbox/{message_id}`. Subject, body and the
 * like are those of the delivery that was asked for, or of the first.
 */
class Message {
  constructor(raw, place = 0) {
    this.raw = raw;
    this.delivery = raw.deliveries?.[place] ?? {};
  }

  get messageId() { return this.raw.message_id; }
  get recipient() { return this.raw.recipient; }
  get status() { return this.raw.status; }
  get deliveries() { return this.raw.deliveries ?? []; }
  get channel() { return this.delivery.channel; }
  get address() { return this.delivery.address ?? null; }
  get subject() { return this.delivery.subject ?? null; }
  get body() { return this.delivery.body ?? null; }
  get html() { return this.delivery.html ?? null; }
  /** What the provider would have been given. */
  get request() { return this.delivery.request ?? null; }
  get links() { return this.raw.links ?? []; }
  /** One-time codes, the likeliest first. */
  get codes() { return this.raw.codes ?? []; }
  /** The merged data. */
  get data() {
    return Object.fromEntries(Object.entries(this.raw.data ?? {}).map(([name, given]) => [name, given.value]));
  }

  /** The first link, or the first with this pattern in it. */
  link(pattern) {
    const fits = (link) => pattern === undefined || (pattern instanceof RegExp ? pattern.test(link) : link.includes(pattern));
    const found = this.links.find(fits);
    const which = pattern === undefined ? "no link" : `no link that matches ${pattern}`;
    if (found === undefined) {
      throw new Error(`message ${this.messageId} has ${which}; its links are ${JSON.stringify(this.links)}`);
    }
    return found;
  }

  /** The likeliest one-time code. */
  code() {
    if (this.codes.length === 0) {
      throw new Error(`message ${this.messageId} has no one-time code; its text is ${JSON.stringify(this.body)}`);
    }
    return this.codes[0];
  }
}

module.exports = { Message };
