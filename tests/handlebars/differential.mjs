// Renders random templates with npm's handlebars and with a running bulkd, and compares what comes out.
//
//   npm ci && node differential.mjs BULKD [--seed N] [--count N] [--print]
//
// BULKD is the binary. Every template is sent as plain text and as the HTML of an e-mail; its partials are the snippets of
// a brand. The seed is printed first; it is random unless --seed or BULKD_TEST_SEED says it. A difference is printed as a
// line for a file in `cases/`, below what bulkd makes of it. --print prints every case.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { generate } from './generate.mjs';

// Unlike `import` this finds what NODE_PATH leads to.
const Handlebars = createRequire(import.meta.url)('handlebars');

/** Requests at the same time: each case is sent in two forms. */
const CONNECTIONS = 8;
/** Cases that share an environment and are looked at together. */
const BATCH = 1000;
/** Of so many cases one may differ as it is meant to. */
const RARE = 200;

/** What bulkd refuses when a template comes, and handlebars only when it gets to it. */
const EARLY = [
  /: there is no helper '(?!(if|unless|each|with|lookup|log)')/,
  /: the (helper|block) '[^']*' needs (an argument|\d+ arguments) /,
  /: expected exactly one argument for '/,
  /: the helper 'add' gives a value and opens no block$/,
  /: add: expected a number, found /,
  /: decorators \(\{\{\* name\}\}\) are not supported; /,
  /: expected an inline partial with its name in quotes: /,
];
/** The same, of what only snippets are refused for. */
const NOTHING_GIVEN = /: the block gives nothing for its parameter '/;
/** What bulkd refuses as Courier does: names with dashes. */
const DASHED = /(^|: )the name '[^']*-[^']*' holds a dash; /;
/** Courier's helpers, which handlebars does not know, and what it says of one. */
const COURIER = new Set(
  [...readFileSync(new URL('../../docs/templates.md', import.meta.url), 'utf8').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name),
);
const MISSING = /^Missing helper: "([^"]+)"$/;
/** What bulkd takes as Courier does: `items[0]` for `items.[0]`. */
const INDEX = /(?<=[\p{L}\p{N}\]])\[/gu;
/** And `.95` for a number. */
const POINTED = /(?<=[\s=]-?)\.(?=\d)/gu;

const { positionals, values: given } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, count: { type: 'string' }, print: { type: 'boolean' } },
});
const seed = Number(given.seed ?? process.env.BULKD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
const count = Number(given.count ?? 20_000);
if (positionals.length !== 1 || !Number.isSafeInteger(seed) || !Number.isSafeInteger(count)) {
  console.error('usage: node differential.mjs BULKD [--seed N] [--count N] [--print]');
  process.exit(2);
}

// `{{log}}` and refused prototype members would be reported on the console.
Handlebars.log = () => {};
Handlebars.logger.log = () => {};

// With `noEscape` handlebars adds up numbers that stand side by side, so it escapes plain text as well: into itself.
const { escapeExpression } = Handlebars.Utils;
let escape = escapeExpression;
Handlebars.Utils.escapeExpression = (value) => escape(value);

const FORMS = {
  plain: {
    escape: (value) => (value == null ? '' : `${value}`),
    to: { phone_number: '+12025550123' },
    // Without Markdown and single braces, which handlebars knows nothing of.
    content: (template) => ({ elements: [{ type: 'text', elements: [{ type: 'string', content: template }] }] }),
    printed: (entry) => entry.body,
  },
  html: {
    escape: escapeExpression,
    to: { email: 'ada@example.com' },
    content: (template) => ({ version: '2022-01-01', elements: [{ type: 'html', content: template }] }),
    // An element ends with a line's end, and one without a text is none.
    printed: (entry) => entry.content.replace(/\n$/, ''),
  },
};

/** A partial that is made anew wherever it is included: one that runs in itself would share what it knows with itself. */
function partial(source) {
  let made;
  return (context, options) => {
    made ??= new Function(`return ${Handlebars.precompile(source)}`)();
    return Handlebars.template(made)(context, options);
  };
}

/** What handlebars prints in each form, or `{ throws: true }`, with the helper that it misses. */
function expected({ template, data, partials: sources }) {
  const partials = Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, partial(source)]));
  try {
    const compiled = Handlebars.compile(template);
    const texts = {};
    for (const form in FORMS) {
      escape = FORMS[form].escape;
      texts[form] = compiled(JSON.parse(data), { partials }).toWellFormed();
    }
    return texts;
  } catch (error) {
    return { throws: true, missing: MISSING.exec(error.message)?.[1] };
  }
}

function compiles(template) {
  try {
    Handlebars.precompile(template);
    return true;
  } catch {
    return false;
  }
}

/** A daemon of its own. */
class Daemon {
  static async start(binary) {
    const daemon = new Daemon();
    daemon.agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    daemon.log = '';
    // E-mails here have no subject.
    const args = ['serve', '--ephemeral', '--listen', '127.0.0.1:0', '--provider-limits', 'off'];
    daemon.process = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    process.on('exit', () => daemon.process.kill());
    daemon.process.stderr.setEncoding('utf8').on('data', (text) => {
      daemon.log = (daemon.log + text).slice(-4000);
    });
    daemon.ended = once(daemon.process, 'exit').then(() => {
      throw new Error('bulkd has ended');
    });
    daemon.ended.catch(() => {});
    const [line] = await Promise.race([once(createInterface(daemon.process.stdout), 'line'), daemon.ended]);
    [daemon.url] = /http:\/\/[\d.]+:\d+/.exec(line);
    return daemon;
  }

  /** The body of the answer, which has to have the status, or of a refusal. */
  call(key, method, path, status, body) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const said = new Promise((resolve, reject) => {
      const sent = request(this.url + path, { agent: this.agent, method, headers, timeout: 60_000 }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode } = answer;
          if (statusCode === status) resolve(JSON.parse(text));
          else if (statusCode === 400) resolve({ refused: JSON.parse(text).message });
          else reject(new Error(`${method} ${path}: ${statusCode} ${text}\n${body}`));
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('it is not answered')));
      sent.on('error', (error) => reject(new Error(`${method} ${path}: ${error.message}\n${body}`)));
      sent.end(body);
    });
    return Promise.race([said, this.ended]);
  }

  /** Everything that went out in an environment. */
  async *outbox(key) {
    for (let cursor = ''; cursor !== undefined; ) {
      const page = await this.call(key, 'GET', `/_bulkd/outbox?fields=all&limit=${BATCH}&cursor=${cursor}`, 200);
      yield* page.items;
      ({ cursor } = page.paging);
    }
  }

  async stop() {
    this.agent.destroy();
    this.process.kill();
    await this.ended.catch(() => {});
  }
}

/** A case that is being looked at. */
class Case {
  constructor(number) {
    Object.assign(this, generate(seed, number));
    this.name = `seed ${seed}, number ${number}`;
    /** What differs as it is meant to. */
    this.meant = new Set();
    /** What differs otherwise. */
    this.wrong = [];
  }

  /** Sends it in each form. */
  async send(daemon, key) {
    const brand = await this.brand(daemon, key);
    this.expected = expected(this);
    const sends = Object.values(FORMS).map(({ to, content }) => {
      const members = { to, content: content(this.template), data: '@', ...brand };
      // The data as they are spelled.
      const message = JSON.stringify(members).replace('"@"', () => this.data);
      return daemon.call(key, 'POST', '/send', 202, `{"message":${message}}`);
    });
    this.answers = await Promise.all(sends);
  }

  /** The brand with the partials, if there are any. Those that it cannot have are left out. */
  async brand(daemon, key) {
    for (;;) {
      const items = Object.entries(this.partials).map(([name, value]) => ({ name, value }));
      if (items.length === 0) return {};
      const body = { name: 'differential', settings: {}, snippets: { items } };
      const { id, refused } = await daemon.call(key, 'POST', '/brands', 200, JSON.stringify(body));
      if (id) return { brand_id: id };
      const [, at] = /^snippets\.items\[(\d+)\]\.value: /.exec(refused);
      const { name, value } = items[at];
      if (compiles(value)) this.judge(refused, 'snippets refused early', [...EARLY, NOTHING_GIVEN]);
      delete this.partials[name];
    }
  }

  /** Takes note of what was refused that handlebars takes. */
  judge(refused, kind = 'refused early', early = EARLY) {
    if (early.some((reason) => reason.test(refused))) this.meant.add(kind);
    else if (DASHED.test(refused)) this.meant.add('names with dashes');
    else this.wrong.push(refused);
  }

  /** What handlebars prints for the template as it would have to be written there. */
  prints(pattern, instead, form) {
    return expected({ ...this, template: this.template.replace(pattern, instead) })[form];
  }

  /** Compares what went out, by the ids of the messages. */
  compare(outbox) {
    for (const [at, form] of Object.keys(FORMS).entries()) {
      const { requestId, refused } = this.answers[at];
      const entry = outbox.get(requestId);
      const reason = refused ?? entry.error;
      const text = reason === null ? FORMS[form].printed(entry) : undefined;
      if (text === this.expected[form]) continue;
      if (text === undefined) this.judge(reason);
      else if (COURIER.has(this.expected.missing)) this.meant.add("Courier's helpers");
      else if (this.prints(INDEX, '.[', form) === text) this.meant.add('items[0]');
      else if (this.prints(POINTED, '0.', form) === text) this.meant.add('.95');
      else this.wrong.push(`${form}: ${JSON.stringify(text)}`);
    }
  }

  /** As it stands in a file of cases, on one line. */
  line() {
    const { name, template, partials, expected: { missing, ...printed } } = this;
    const members = { name, template, data: '@', ...(Object.keys(partials).length > 0 && { partials }), ...printed };
    return JSON.stringify(members).replace('"data":"@"', () => `"data":${this.data.replace(/[\r\n]/g, ' ')}`);
  }
}

/** Sends the cases and compares what comes of them. */
async function run(daemon, key, cases) {
  const waiting = [...cases];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await next.send(daemon, key);
  };
  await Promise.all(Array.from({ length: CONNECTIONS / 2 }, worker));
  const outbox = new Map();
  for await (const entry of daemon.outbox(key)) outbox.set(entry.message_id, entry);
  for (const test of cases) test.compare(outbox);
}

console.log(`seed ${seed}`);
const begun = performance.now();
const daemon = await Daemon.start(positionals[0]);
const totals = { wrong: 0, throws: 0, meant: {} };
try {
  for (let first = 0; first < count; first += BATCH) {
    const cases = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => new Case(first + i));
    await run(daemon, `batch-${first}`, cases);
    for (const test of cases) {
      if (test.wrong.length > 0) console.log(`bulkd: ${[...new Set(test.wrong)].join('\n       ')}`);
      if (test.wrong.length > 0 || given.print) console.log(test.line());
      totals.wrong += test.wrong.length > 0;
      totals.throws += test.expected.throws === true;
      for (const kind of test.meant) totals.meant[kind] = (totals.meant[kind] ?? 0) + 1;
    }
  }
} catch (error) {
  console.error(`${daemon.log}\n${error.stack}`);
  process.exit(1);
}
await daemon.stop();

const seconds = ((performance.now() - begun) / 1000).toFixed(1);
console.log(`${count} cases in ${seconds} s, of which handlebars refuses ${totals.throws}, ${totals.wrong} wrong`);
for (const [kind, found] of Object.entries(totals.meant)) {
  console.log(`${found} differ as they are meant to: ${kind}`);
  // What is so often so is something else.
  if (found > 5 + count / RARE) totals.wrong++;
}
process.exit(totals.wrong ? 1 : 0);
