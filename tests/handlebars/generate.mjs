// Templates from a grammar and data to go with them, the same ones for the same seed.

/** A small generator of random numbers (mulberry32). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(count) {
    return Math.floor(this.next() * count);
  }

  chance(share) {
    return this.next() < share;
  }

  /** One of several, or of pairs of a weight and one. */
  pick(choices) {
    return choices[this.below(choices.length)];
  }

  weighted(choices) {
    let at = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of choices) {
      at -= weight;
      if (at < 0) return choice;
    }
    return choices[choices.length - 1][1];
  }
}

const NAMES = ['a', 'b', 'c', 'items', 'user', 'name', 'paid', 'list', 'deep', 'x1', 'elsewhere', 'iffy', 'éa'];
const ODD_NAMES = ['x y', '0', '1', '10', 'length', 'this', 'a.b', '__proto__', 'constructor', 'else'];
const TEXTS = ['', 'Ada', 'a & b', '<b>', '"q"', "it's", '`=`', 'x\ny', '  ', '0', 'false', 'é', '{{a}}', '\\', '1', 'null'];
const NUMBERS = ['0', '-0', '1', '2', '20.0', '0.1', '1e21', '1e-7', '123456789012345678901', '-5', '3.14', '1e300', '5e-324', '100000000000000000000'];

/** JSON text with a value. Numbers are spelled in ways that a parser has to bring together. */
function value(random, depth) {
  const kind = random.weighted([
    [4, 'text'], [3, 'number'], [1, 'true'], [1, 'false'], [1, 'null'],
    [depth > 0 ? 3 : 0, 'list'], [depth > 0 ? 4 : 0, 'object'],
  ]);
  switch (kind) {
    case 'text': return JSON.stringify(random.pick(TEXTS));
    case 'number': return random.pick(NUMBERS);
    case 'list': return `[${Array.from({ length: random.below(4) }, () => value(random, depth - 1)).join(',')}]`;
    case 'object': return object(random, depth - 1);
    default: return kind;
  }
}

function object(random, depth) {
  const members = [];
  const names = random.below(5);
  for (let i = 0; i < names; i++) {
    const name = random.chance(0.85) ? random.pick(NAMES) : random.pick(ODD_NAMES);
    members.push(`${JSON.stringify(name)}:${value(random, depth)}`);
  }
  return `{${members.join(',')}}`;
}

/** JSON text with the data of a message. */
export function data(random) {
  const members = [];
  for (const name of NAMES) {
    if (random.chance(0.7)) members.push(`${JSON.stringify(name)}:${value(random, 3)}`);
  }
  return `{${members.join(',')}}`;
}

/** A template while it is made. */
class Writer {
  constructor(random, partials) {
    this.random = random;
    this.partials = partials;
    this.left = 3 + random.below(25);
    this.params = [];
    this.inlines = [];
  }

  name() {
    return this.random.chance(0.93) ? this.random.pick(NAMES) : `[${this.random.pick(ODD_NAMES)}]`;
  }

  path() {
    const { random } = this;
    const kind = random.weighted([
      [10, 'name'], [4, 'nested'], [2, 'this'], [2, 'up'], [1, 'root'], [2, 'data'], [1, 'index'], [1, 'literal'],
      [this.params.length > 0 ? 4 : 0, 'param'], [1, 'length'], [1, 'slash'],
    ]);
    switch (kind) {
      case 'name': return this.name();
      case 'nested': return `${this.name()}.${this.name()}${random.chance(0.3) ? `.${this.name()}` : ''}`;
      case 'this': return random.pick(['this', '.', `this.${this.name()}`, `./${this.name()}`, `this/${this.name()}`]);
      case 'up': return `${'../'.repeat(1 + random.below(2))}${random.pick(['', '', '.', 'this', '@index']) && this.name()}`.replace(/\/$/, '') || '..';
      case 'root': return random.chance(0.2) ? '@root' : `@root.${this.name()}`;
      case 'data': return random.pick(['@index', '@key', '@first', '@last', '@../index', '@../key', '@nothing', '@../../first']);
      case 'index': return `${this.name()}.[${random.below(3)}]`;
      case 'literal': return random.pick(['"a"', "'name'", '12', 'true', 'null', 'undefined', '1.5']);
      case 'param': return `${random.pick(this.params)}${random.chance(0.3) ? `.${this.name()}` : ''}`;
      case 'slash': return `${this.name()}/${this.name()}`;
      default: return `${this.name()}.length`;
    }
  }

  /** What a helper is given. */
  operand(depth = 2) {
    const { random } = this;
    if (depth > 0 && random.chance(0.12)) {
      return `(lookup ${this.operand(depth - 1)} ${this.operand(depth - 1)})`;
    }
    if (random.chance(0.15)) return random.pick(['"a"', '"name"', "'x y'", '0', '1', '-1', 'true', 'false', 'null', 'undefined', '""', '2.50']);
    return this.path();
  }

  /** `{{`, `}}` and what takes the space away beside them. */
  tag(inside, { open = '{{', close = '}}' } = {}) {
    const strip = () => (this.random.chance(0.12) ? '~' : '');
    const space = () => (this.random.chance(0.15) ? ' ' : '');
    const sign = /^[#/^>&!*]+/.exec(inside)?.[0] ?? '';
    return `${open}${strip()}${sign}${space()}${inside.slice(sign.length)}${space()}${strip()}${close}`;
  }

  words() {
    return this.random.weighted([
      [6, () => this.random.pick(['hello', 'x', 'a b', '<p>', '& co', '"', 'Grüße', '💌', '0', 'a = b'])],
      [0.3, () => this.random.pick(['}', '{', '}}', '{ a: 1 }'])],
      [4, () => this.random.pick(['\n', ' \n', '\n  ', '\r\n', '\t\n', '\n\n', ' ', '  ', '\n\t', '\u00a0'])],
      [1, () => this.random.pick(['\\', '\\\\', '\\{{a}}', '\\{{#if a}}', '\\\\{{a}}', '\\\\\\{{b}} c', '\\n'])],
    ])();
  }

  block(name, operands, { params = 0, otherwise = true } = {}) {
    const { random } = this;
    const named = params > 0 && random.chance(0.3) ? ['p', 'q'].slice(0, 1 + random.below(params)) : [];
    const as = named.length > 0 ? ` as |${named.join(' ')}|` : '';
    const inverted = random.chance(0.1);
    let text = this.tag(`${inverted ? '^' : '#'}${name}${operands}${as}`);
    this.params.push(...named);
    text += this.body();
    this.params.length -= named.length;
    if (otherwise && random.chance(0.4)) {
      const chains = inverted ? 0 : random.weighted([[5, 0], [3, 1], [1, 2]]);
      for (let i = 0; i < chains; i++) {
        const helper = random.pick(['if', 'unless', 'each', 'with', 'if']);
        text += this.tag(`else ${helper} ${this.operand()}`) + this.body();
      }
      if (chains === 0 || random.chance(0.6)) {
        text += (random.chance(0.2) ? this.tag('^') : this.tag('else')) + this.body();
      }
    }
    const closed = /^\[.*\]$/.test(name) && random.chance(0.5) ? name : name;
    return text + this.tag(`/${closed}`);
  }

  partial() {
    const { random } = this;
    const names = [...Object.keys(this.partials), ...this.inlines];
    if (names.length === 0 && random.chance(0.9)) return this.words();
    const name = names.length > 0 && random.chance(0.97) ? random.pick(names) : 'nowhere';
    const said = random.weighted([[8, name], [1, `"${name}"`], [0.2, `(lookup @root "name")`]]);
    const context = random.chance(0.3) ? ` ${this.operand()}` : '';
    const hash = random.chance(0.25) ? ` ${random.pick(NAMES)}=${this.operand()}${random.chance(0.3) ? ` b=${this.operand()}` : ''}` : '';
    if (random.chance(0.25) && !said.startsWith('(')) {
      return this.tag(`#>${said}${context}${hash}`) + this.body() + this.tag(`/${said}`);
    }
    return this.tag(`>${said}${context}${hash}`);
  }

  node() {
    const { random } = this;
    this.left--;
    return random.weighted([
      [8, () => this.words()],
      [7, () => this.tag(this.path())],
      // Words in front: handlebars.js adds values that nothing but values stands before, numbers as numbers.
      [1, () => `x${this.tag(this.path(), { open: '{{{', close: '}}}' }).replace('{{{~', '{{~{').replace('~}}}', '}~}}')}`],
      [1, () => `y${this.tag(`&${this.path()}`)}`],
      [1, () => this.tag(`lookup ${this.operand()} ${this.operand()}`)],
      [1, () => random.pick(['{{! a }}', '{{!-- b }} --}}', '{{~! c ~}}', '{{!~~}}', '{{!-- --~}}', '{{!}}'])],
      [3, () => this.block(random.pick(['if', 'unless']), ` ${this.operand()}${random.chance(0.1) ? ' includeZero=true' : ''}`)],
      [3, () => this.block('each', ` ${this.operand()}`, { params: 2 })],
      [2, () => this.block('with', ` ${this.operand()}`, { params: 1 })],
      [3, () => this.section()],
      [2, () => this.partial()],
      [1, () => this.inline()],
      [0.5, () => this.raw()],
    ])();
  }

  section() {
    const name = this.random.chance(0.7) ? this.name() : this.path();
    // What closes a literal is compared by its kind as well.
    if (/^["'\d]|^(true|null|undefined)$/.test(name)) return '';
    return this.block(name, '');
  }

  raw() {
    const name = this.random.pick(NAMES);
    return `{{{{${name}}}}}${this.random.pick([' {{b}} ', 'x', '\n {{#if}}\n', '{{{{a}}}}y{{{{/a}}}}', ''])}{{{{/${name}}}}}`;
  }

  inline() {
    const name = this.random.pick(['in1', 'in2']);
    const text = this.tag(`#*inline "${name}"`) + this.body() + this.tag('/inline');
    this.inlines.push(name);
    return text;
  }

  body() {
    if (this.left <= 0) return this.random.chance(0.5) ? this.random.pick(['y', '\n', ' z ']) : '';
    let text = '';
    for (let i = 1 + this.random.below(4); i > 0 && this.left > 0; i--) text += this.node();
    return text;
  }

  text() {
    let text = '';
    while (this.left > 0) text += this.node();
    return text;
  }
}

/** A mistake, now and then. */
function spoiled(random, template) {
  const at = random.below(template.length + 1);
  return random.pick([
    () => template.slice(0, at) + template.slice(at + 1),
    () => template.slice(0, at) + random.pick(['{', '}', '{{', '}}', '~', '/', '.', ' ', '"', ']', '|', '=', '@', '(', ')']) + template.slice(at),
  ])();
}

/** The template, data and partials with a number. */
export function generate(seed, number) {
  const random = new Random((seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0);
  random.next();
  const partials = {};
  if (random.chance(0.3)) {
    for (const name of ['part', 'foot/er'].slice(0, 1 + random.below(2))) {
      partials[name] = new Writer(random, random.chance(0.2) ? { part: '' } : {}).text();
    }
  }
  let template = new Writer(random, partials).text();
  if (random.chance(0.05)) template = spoiled(random, template);
  return { template, data: data(random), partials };
}
