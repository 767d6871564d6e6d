// What npm's handlebars prints for the cases in `cases/`, a file a construct and a line a case.
//
//   npm ci && node record.mjs            says which recorded outputs handlebars no longer prints
//   npm ci && node record.mjs --write    records what it prints
//
// A case has a `name`, a `template`, `data` and perhaps `partials`; one that bulkd means otherwise says why in `differs`.
// Recorded are `plain`, printed with `noEscape`, and `html`, or `throws` where handlebars refuses the template or fails to
// run it.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// Unlike `import` this finds what NODE_PATH leads to.
const Handlebars = createRequire(import.meta.url)('handlebars');

const CASES = new URL('./cases/', import.meta.url);
const RECORDED = ['plain', 'html', 'throws'];
const WRITTEN = ['name', 'template', 'data', 'partials', 'differs'];

// `{{log}}` and refused prototype members would be reported on the console.
Handlebars.log = () => {};
Handlebars.logger.log = () => {};

/** Handlebars with the mending of its issue 2167: what is printed unescaped is text before it is put together. */
function mended() {
  const env = Handlebars.create();
  env.log = () => {};
  const { append } = Handlebars.JavaScriptCompiler.prototype;
  function Compiler() {}
  Compiler.prototype = Object.assign(new Handlebars.JavaScriptCompiler(), {
    compiler: Compiler,
    append() {
      if (!this.isInline()) return append.call(this);
      this.replaceStack((current) => [' != null ? "" + ', current, ' : ""']);
      this.pushSource(this.appendToBuffer(this.popStack()));
    },
  });
  env.JavaScriptCompiler = Compiler;
  return env;
}

const MENDED = mended();

/** What a template prints, or null where handlebars throws. */
function print(env, { template, data, partials }, options) {
  try {
    return env.compile(template, options)(data, { partials: { ...partials } });
  } catch {
    return null;
  }
}

function outcome(test) {
  const [plain, html, ...texts] = [Handlebars, MENDED].flatMap((env) => [
    print(env, test, { noEscape: true }),
    print(env, test, {}),
  ]);
  // Handlebars up to 4.7.10 prints 3 for `{{{a}}}{{{b}}}` with 1 and 2. No case is to rely on that.
  if (plain !== texts[0] || html !== texts[1]) throw new Error('adds up numbers that stand side by side');
  if ((plain === null) !== (html === null)) throw new Error('throws with or without escaping only');
  return plain === null ? { throws: true } : { plain, html };
}

/** The members of the object that a line is, each with its JSON text as it is written, for numbers to stay as they are. */
function members(line) {
  const found = [];
  let at = 1;
  while (line[at] !== '}') {
    const [name, start] = item(line, at);
    const [value, end] = item(line, start + 1);
    found.push([JSON.parse(name), value]);
    at = line[end] === ',' ? end + 1 : end;
  }
  return found;
}

/** The text of a JSON value and where it ends. */
function item(line, start) {
  let depth = 0;
  let at = start;
  do {
    if (line[at] === '"') {
      at += /^"(?:[^"\\]|\\.)*"/.exec(line.slice(at))[0].length;
      continue;
    }
    if (depth === 0 && /[:,}]/.test(line[at])) break;
    if (/[[{]/.test(line[at])) depth++;
    if (/[\]}]/.test(line[at])) depth--;
    at++;
  } while (at < line.length);
  return [line.slice(start, at), at];
}

function recorded(line, results) {
  const kept = members(line).filter(([name]) => !RECORDED.includes(name));
  const added = Object.entries(results).map(([name, value]) => [name, JSON.stringify(value)]);
  return `{${[...kept, ...added].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

const write = process.argv.includes('--write');
let count = 0;
let wrong = 0;

function complain(file, name, what) {
  console.log(`${file}: ${name}: ${what}`);
  wrong++;
}

for (const file of readdirSync(CASES).sort()) {
  const url = new URL(file, CASES);
  const text = readFileSync(url, 'utf8');
  const lines = text.replace(/^\[\n|\n\]\n$/g, '').split(/,?\n/);
  const tests = JSON.parse(text);
  if (tests.length !== lines.length) throw new Error(`${file} has not one case a line`);
  const names = new Set();
  const written = tests.map((test, i) => {
    count++;
    const unknown = Object.keys(test).find((name) => !WRITTEN.includes(name) && !RECORDED.includes(name));
    if (unknown) complain(file, test.name, `has a member ${unknown}`);
    if (names.has(test.name)) complain(file, test.name, 'is there twice');
    names.add(test.name);
    let results;
    try {
      results = outcome(test);
    } catch (error) {
      complain(file, test.name, error.message);
      return lines[i];
    }
    if (!write) {
      for (const key of RECORDED) {
        if (test[key] !== results[key]) {
          complain(file, test.name, `${key} is ${JSON.stringify(results[key])}, not ${JSON.stringify(test[key])}`);
        }
      }
    }
    return recorded(lines[i], results);
  });
  if (write) writeFileSync(url, `[\n${written.join(',\n')}\n]\n`);
}

console.log(`${count} cases, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
