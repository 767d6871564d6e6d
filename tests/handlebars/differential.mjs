// Renders random templates with npm's handlebars and with a running bulkd, and compares what comes out.
//
//   npm ci && node differential.mjs BULKD [--seed N] [--count N] [--print]
//
// BULKD is the binary. Every template is sent as plain text and as the HTML of an e-mail; partials are the snippets of a
// brand. The seed, which is printed first, is random unless --seed or BULKD_TEST_SEED says it. A difference is printed as
// a line for a file in `cases/`, with what bulkd makes of it behind it; --print prints every case.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { generate } from './generate.mjs';

// Unlike `import` this finds what NODE_PATH leads to.
const Handlebars = createRequire(import.meta.url)('handlebars');

/** Sends at the same time. */
const CONNECTIONS = 8;
/** Cases that are looked at together. */
const BATCH = 1000;
/** What bulkd refuses at once, and handlebars where it comes to it: what it says, and in how many of a thousand at most. */
const EARLY = [
  /: there is no helper '(?<helper>[^']*)'/,
  /: the helper '[^']*' needs (an argument|\d+ arguments) /,
  /: expected exactly one argument for '/,
];
/** What bulkd refuses and what it takes because Courier's documentation says so. */
const DASH = /^the name '[^']*' holds a dash; |: the name '[^']*' holds a dash; /;
const INDEX = /(?<=[^\s{}()=|~/.@#^&>"'])\[/g;
/** As large a share of all cases may be such. */
const EXPECTED_SHARE = 0.005;

const { positionals, values: given } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, count: { type: 'string' }, print: { type: 'boolean' } },
});
const [bulkd] = positionals;
const seed = Number(given.seed ?? process.env.BULKD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
const count = Number(given.count ?? 20_000);
if (positionals.length !== 1 || !Number.isInteger(seed) || !Number.isInteger(count)) {
  console.error('usage: node differential.mjs BULKD [--seed N] [--count N] [--print]');
  process.exit(2);
}
console.log(`seed ${seed}`);

// `{{log}}` and refused prototype members would be reported on the console.
Handlebars.log = () => {};
Handlebars.logger.log = () => {};

// With `noEscape` handlebars adds up numbers that stand side by side. So it is left to escape, in either way.
const { escapeExpression } = Handlebars.Utils;
let escape;
Handlebars.Utils.escapeExpression = (value) => escape(value);
const WAYS = { plain: (value) => (value == null ? '' : `${value}`), html: escapeExpression };

/** What handlebars prints in either form, or null where it throws. */
function expected(template, data, partials) {
  try {
    const [compiled, context] = [Handlebars.compile(template), JSON.parse(data)];
    const texts = {};
    for (const form in WAYS) {
      escape = WAYS[form];
      texts[form] = compiled(context, { partials: { ...partials } }).toWellFormed();
    }
    return texts;
  } catch {
    return null;
  }
}

/** A daemon of its own. */
class Daemon {
  static async start(binary) {
    const daemon = new Daemon();
    daemon.agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    daemon.log = '';
    daemon.process = spawn(binary, ['serve', '--ephemeral', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    process.on('exit', () => daemon.process.kill());
    daemon.process.stderr.setEncoding('utf8').on('data', (text) => {
      daemon.log = (daemon.log + text).slice(-4000);
    });
    const [line] = await once(createInterface(daemon.process.stdout), 'line');
    daemon.url = /http:\/\/[\d.]+:\d+/.exec(line)[0];
    return daemon;
  }

  /** The answer's status and its body. */
  call(key, method, path, body) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const sent = request(this.url + path, { agent: this.agent, method, headers, timeout: 60_000 }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve([answer.statusCode, JSON.parse(Buffer.concat(chunks).toString())]));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path} is not answered`)));
      sent.end(body);
    });
  }

  async stop() {
    this.agent.destroy();
    const ended = once(this.process, 'exit');
    this.process.kill();
    await ended;
  }
}

const FORMS = {
  plain: {
    to: { phone_number: '+12025550123' },
    content: (template) => ({ body: template }),
    printed: (entry) => entry.body,
  },
  html: {
    to: { email: 'ada@example.com' },
    content: (template) => ({ version: '2022-01-01', elements: [{ type: 'html', content: template }] }),
    // An element without a text is none.
    printed: (entry) => entry.content.replace(/\n$/, ''),
  },
};

/** Sends a case in both forms. What is refused has its reason, what is taken the id of its message. */
async function send(daemon, key, test) {
  let brand;
  if (Object.keys(test.partials).length > 0) {
    const items = Object.entries(test.partials).map(([name, value]) => ({ name, value }));
    const [status, answer] = await daemon.call(key, 'POST', '/brands', JSON.stringify({ name: 'a', settings: {}, snippets: { items } }));
    if (status !== 200) {
      const [, at] = /^snippets\.items\[(\d+)\]\.value: /.exec(answer.message) ?? [];
      if (at === undefined) throw new Error(`${status} ${answer.message}`);
      const name = items[at].name;
      return { snippet: { name, refused: answer.message } };
    }
    brand = `,"brand_id":${JSON.stringify(answer.id)}`;
  }
  const sends = Object.entries(FORMS).map(async ([form, { to, content }]) => {
    const parts = [`"to":${JSON.stringify(to)}`, `"content":${JSON.stringify(content(test.template))}`, `"data":${test.data}`];
    const [status, answer] = await daemon.call(key, 'POST', '/send', `{"message":{${parts.join(',')}${brand ?? ''}}}`);
    if (status !== 202 && status !== 400) throw new Error(`${status} ${JSON.stringify(answer)}`);
    return [form, status === 202 ? { id: answer.requestId } : { refused: answer.message }];
  });
  return Object.fromEntries(await Promise.all(sends));
}
