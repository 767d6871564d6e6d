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

const NAMES = [
  'a', 'b', 'c', 'items', 'user', 'name', 'paid', 'list', 'deep', 'x1', 'elsewhere', 'iffy', 'éa', 'nullable', 'asof',
];
const ODD_NAMES = [
  'x y', '0', '1', '10', '01', 'length', 'this', 'a.b', 'constructor', 'valueOf', 'else', 'add', '', '💌', '@key', 'as',
];
/** What most values of a name are, so that templates come upon what they look for. */
const KINDS = new Map([
  ['items', 'list'], ['list', 'list'], ['user', 'object'], ['deep', 'object'], ['name', 'text'], ['paid', 'flag'],
  ['x1', 'number'],
]);
const LISTS = ['items', 'list', 'user.items', 'deep.list', 'deep.deep.items', '@root.list', 'this', 'items.[0]', 'user'];
const OBJECTS = ['user', 'deep', 'deep.user', 'items.[0]', 'list.[1]', '@root.user', '..', 'this.deep'];
const DATA = [
  '@index', '@key', '@first', '@last', '@../index', '@../key', '@../last', '@../../first', '@nothing', '@key.length',
];
const LITERALS = [
  '"a"', '"name"', "'x y'", '0', '1', '-1', 'true', 'false', 'null', 'undefined', '""', '2.50', '"it\\"s"', '007',
];
const WORDS = [
  'hello', 'x', 'a b', '<p>', '& co', '"', 'Grüße', '💌', '0', 'a = b', '<a href="x">', '|', ']', '$1',
];
const SPACES = [
  '\n', ' \n', '\n  ', '\r\n', '\t\n', '\n\n', ' ', '  ', '\n\t', '\u00a0', '\u2028', '\ufeff', '\v\n', '\u0085',
];
const BACKSLASHES = [
  '\\{{a}}', '\\{{#if a}}', '\\\\{{a}}', '\\\\\\{{b}} c', '\\n', '\\{{{a}}}', '\\{{a}} \\{{b}}', '\\{{a}} \\\\{{b}}', '\\ {{a}}',
];
const COMMENTS = [
  '{{! a }}', '{{!-- b }} --}}', '{{~! c ~}}', '{{!~~}}', '{{!-- --~}}', '{{!}}', '{{!-- {{a}} --}}', '{{!-- - --}}',
];
const RAW = [' {{b}} ', 'x', '\n {{#if}}\n', '{{{{a}}}}y{{{{/a}}}}', '', '\\{{a}}', '{{{{/b}}', '}}}}', ' {{{a}}} '];
const MISTAKES = [
  '{', '}', '{{', '}}', '~', '/', '.', ' ', '"', "'", ']', '[', '|', '=', '@', '(', ')', '#', '^', '\\', '*', '&', '!', ',',
  'else', ' as |',
];
const PARTIALS = ['part', 'foot/er'];
const INLINES = ['in1', 'in2'];
const TEXTS = [
  '', 'Ada', 'a & b', '<b>', '"q"', "it's", '`=`', 'x\ny', '  ', '0', 'false', 'é', '{{a}}', '\\', '1', 'null', 'part',
  'in1', 'name', 'a\r\nb', '\ta', 'ab 💌 c', '&amp;', '\u00a0', '\u2028', 'ﬃ\u0301', 'undefined',
  '\u007f\u0001', '[object Object]', '1,2',
];
const NUMBERS = [
  '0', '-0', '1', '2', '20.0', '0.1', '1e21', '1e-7', '123456789012345678901', '-5', '3.14', '1e300', '5e-324',
  '100000000000000000000', '1E2', '1e+3', '-1.50e1', '0.000001', '0.0000001', '9007199254740993', '4.35', '0e0', '-0.0',
  '123456789.123456789', '1.7976931348623157e308', '1234567890123456', '0.1e-5', '2e-400',
];

/** Space between two parts of a JSON text, now and then. */
function gap(random) {
  return random.chance(0.03) ? random.pick([' ', '\n', '\t', '\r\n  ']) : '';
}

/** A JSON text with a text, some of its characters spelled by their numbers. */
function quoted(random, text) {
  if (random.chance(0.9)) return JSON.stringify(text);
  const number = (unit) => unit.charCodeAt(0).toString(16).padStart(4, '0');
  const spelled = (unit) => `\\u${random.chance(0.5) ? number(unit) : number(unit).toUpperCase()}`;
  const character = (it) => (random.chance(0.5) ? JSON.stringify(it).slice(1, -1) : it.split('').map(spelled).join(''));
  return `"${[...text].map(character).join('')}"`;
}

/** JSON text with a value. Numbers are spelled in ways that a parser has to bring together. */
function value(random, depth, name) {
  const usual = random.chance(0.65) ? KINDS.get(name) : undefined;
  const kind = usual ?? random.weighted([
    [4, 'text'], [3, 'number'], [2, 'flag'], [1, 'null'], [3, 'list'], [4, 'object'],
  ]);
  switch (kind) {
    case 'text': return quoted(random, random.pick(TEXTS));
    case 'number': return random.pick(NUMBERS);
    case 'flag': return random.pick(['true', 'false']);
    case 'list': {
      const items = Array.from({ length: depth > 0 ? random.below(4) : 0 }, () => value(random, depth - 1));
      return `[${gap(random)}${items.join(`,${gap(random)}`)}]`;
    }
    case 'object': return object(random, depth > 0 ? random.below(5) : 0, depth - 1);
    default: return kind;
  }
}

function member(random, depth, name) {
  return `${quoted(random, name)}${gap(random)}:${gap(random)}${value(random, depth, name)}`;
}

/** Names may come twice. */
function object(random, count, depth) {
  const name = () => (random.chance(0.88) ? random.pick(NAMES) : random.pick(ODD_NAMES));
  return `{${gap(random)}${Array.from({ length: count }, () => member(random, depth, name())).join(`,${gap(random)}`)}}`;
}

/** JSON text with the data of a message. */
export function data(random) {
  const members = NAMES.filter(() => random.chance(0.85)).map((name) => member(random, 3, name));
  if (random.chance(0.15)) members.push(member(random, 2, random.pick(NAMES)));
  if (random.chance(0.1)) members.unshift(member(random, 2, random.pick(ODD_NAMES)));
  if (random.chance(0.7)) members.push(`"which":${JSON.stringify(random.pick([...PARTIALS, ...INLINES]))}`);
  return `{${members.join(',')}}`;
}

/** A template while it is made. */
class Writer {
  /** `partials` are the names of those that it may include. */
  constructor(random, partials, isPartial = false) {
    this.random = random;
    this.partials = partials;
    this.isPartial = isPartial;
    this.left = 3 + random.below(25);
    this.params = [];
    this.inlines = [];
    /** How often tags have a line of their own. */
    this.lines = random.pick([0, 0, 0.3, 0.8]);
  }

  name() {
    return this.random.chance(0.93) ? this.random.pick(NAMES) : `[${this.random.pick(ODD_NAMES)}]`;
  }

  /** What may stand behind a path. */
  member(share) {
    return this.random.chance(share) ? `.${this.name()}` : '';
  }

  /** A name behind each of these. */
  behind(...beginnings) {
    return beginnings.map((beginning) => beginning + this.name());
  }

  list() {
    return this.random.chance(0.5) ? this.random.pick(LISTS) : this.name();
  }

  path() {
    const { random } = this;
    const kind = random.weighted([
      [12, 'name'], [4, 'nested'], [3, 'this'], [2, 'up'], [1, 'root'], [2, 'data'], [1, 'index'], [1, 'literal'],
      [this.params.length > 0 ? 5 : 0, 'param'], [1, 'length'], [1, 'slash'], [1, 'object'],
    ]);
    switch (kind) {
      case 'name': return this.name();
      case 'nested': return `${this.name()}.${this.name()}${this.member(0.3)}`;
      case 'this': return random.pick(['this', 'this', '.', ...this.behind('this.', './', 'this/')]);
      case 'up': return random.pick(['..', '../..', '../.', '../this', ...this.behind('../', '../../', '../this.')]);
      case 'root': return random.chance(0.2) ? '@root' : `@root.${this.name()}${this.member(0.2)}`;
      case 'data': return random.pick(DATA);
      case 'index': return `${this.list()}.[${random.below(3)}]${this.member(0.3)}`;
      case 'literal': return random.pick(['"a"', "'name'", '12', 'true', 'null', 'undefined', '1.5', '"x y"', '[x y]']);
      case 'param': return `${random.pick(this.params)}${this.member(0.3)}`;
      case 'slash': return `${this.name()}/${this.name()}`;
      case 'object': return `${random.pick(OBJECTS)}.${this.name()}`;
      default: return `${this.list()}.length`;
    }
  }

  /** What a helper is given. */
  operand(depth = 2) {
    const { random } = this;
    if (depth > 0 && random.chance(0.12)) {
      const between = random.pick([' ', ' ', '  ', '\n']);
      return `(lookup ${this.operand(depth - 1)}${between}${this.operand(depth - 1)})`;
    }
    if (random.chance(0.15)) return random.pick(LITERALS);
    return this.path();
  }

  /** What a block is given that goes through it or into it. */
  subject(usual) {
    return this.random.chance(0.55) ? this.random.pick(usual) : this.operand();
  }

  /** `{{`, `}}` and what takes the space away beside them. */
  tag(inside) {
    const strip = () => (this.random.chance(0.12) ? '~' : '');
    const space = () => (this.random.chance(0.15) ? this.random.pick([' ', ' ', '  ', '\n', '\t']) : '');
    const sign = /^[#/^>&*]+/.exec(inside)?.[0] ?? '';
    return `{{${strip()}${sign}${space()}${inside.slice(sign.length)}${space()}${strip()}}}`;
  }

  /** The same without escaping. Here the space goes inside of the third brace. */
  triple(path) {
    const strip = () => (this.random.chance(0.12) ? '~' : '');
    const space = () => (this.random.chance(0.15) ? ' ' : '');
    return `{{${strip()}{${space()}${path}${space()}}${strip()}}}`;
  }

  /** A tag that may have a line of its own, as far as that goes. */
  line(tag) {
    const { random } = this;
    if (!random.chance(this.lines)) return tag;
    const before = random.weighted([[8, '\n'], [1, '\r\n'], [1, ''], [0.5, 'x']]);
    const indent = random.pick(['', '', '  ', '\t', ' \t ', '    ']);
    const after = random.weighted([[6, '\n'], [2, ' \n'], [1, '\r\n'], [1, ''], [0.5, '\t'], [0.5, ' x\n']]);
    return before + indent + tag + after;
  }

  words() {
    return this.random.weighted([
      [6, () => this.random.pick(WORDS)],
      [4, () => this.random.pick(SPACES)],
      [0.8, () => this.random.pick(BACKSLASHES)],
      [0.15, () => this.random.pick(['}', '{', '}}', '{ a: 1 }', '\\'])],
    ])();
  }

  /** What stands behind a tag that opens a block, and what it brings. */
  named(params) {
    const { random } = this;
    if (params === 0 || !random.chance(0.3)) return ['', []];
    const names = [random.pick(['p', 'q', 'a']), random.pick(['i', 'k'])].slice(0, 1 + random.below(params));
    return [` as |${random.pick(['', '', ' '])}${names.join(' ')}|`, names];
  }

  /** What stands in a block, with the names that it brings. */
  inside(names) {
    this.params.push(...names);
    const text = this.body();
    this.params.length -= names.length;
    return text;
  }

  block(name, operands, { params = 0 } = {}) {
    const { random } = this;
    const inverted = random.chance(0.1);
    const [as, names] = this.named(inverted && random.chance(0.97) ? 0 : params);
    let text = this.line(this.tag(`${inverted ? '^' : '#'}${name}${operands}${as}`)) + this.inside(names);
    if (random.chance(0.4)) {
      const chains = inverted ? 0 : random.weighted([[5, 0], [3, 1], [1, 2], [0.5, 3]]);
      for (let i = 0; i < chains; i++) text += this.chained();
      if (chains === 0 || random.chance(0.6)) {
        text += this.line(random.chance(0.2) ? this.tag('^') : this.tag('else')) + this.body();
      }
    }
    return text + this.line(this.tag(`/${name}`));
  }

  chained() {
    const { random } = this;
    const helper = random.pick(['if', 'unless', 'each', 'with', 'if', 'if', '']);
    if (helper === '') return this.line(this.tag(`else ${random.pick(NAMES)}`)) + this.body();
    const subject = helper === 'each' ? this.subject(LISTS) : helper === 'with' ? this.subject(OBJECTS) : this.operand();
    const [as, names] = this.named({ each: 2, with: 1 }[helper] ?? 0);
    return this.line(this.tag(`else ${helper} ${subject}${as}`)) + this.inside(names);
  }

  condition() {
    const { random } = this;
    const zero = random.chance(0.1) ? ` includeZero=${random.pick(['true', 'true', 'false', this.operand()])}` : '';
    return this.block(random.pick(['if', 'unless']), ` ${this.operand()}${zero}`);
  }

  hash() {
    const { random } = this;
    const count = random.chance(0.25) ? 1 + random.below(3) : 0;
    const pair = () => ` ${random.pick(NAMES)}${random.pick(['=', '=', '=', ' = '])}${this.operand()}`;
    return Array.from({ length: count }, pair).join('');
  }

  partial() {
    const { random } = this;
    const names = [...this.partials, ...this.inlines];
    if (this.isPartial && random.chance(0.4)) names.push('@partial-block');
    if (names.length === 0 && random.chance(0.95)) return this.words();
    const name = names.length > 0 && random.chance(0.985) ? random.pick(names) : 'nowhere';
    const isBlock = name === '@partial-block';
    const quoted = isBlock || random.chance(0.85) ? name : `"${name}"`;
    const said = random.chance(0.05) ? '(lookup @root "which")' : quoted;
    const context = random.chance(0.3) ? ` ${this.subject(OBJECTS)}` : '';
    const tail = `${said}${context}${this.hash()}`;
    if (said.startsWith('(') || !random.chance(name === 'nowhere' ? 0.7 : 0.3)) return this.line(this.tag(`>${tail}`));
    return this.line(this.tag(`#>${tail}`)) + this.body() + this.line(this.tag(`/${said}`));
  }

  node() {
    const { random } = this;
    this.left--;
    return random.weighted([
      [7, () => this.words()],
      [8, () => this.tag(this.path())],
      // Words in front: handlebars.js adds values that nothing but values stands before, numbers as numbers.
      [1, () => `x${this.triple(this.path())}`],
      [1, () => `y${this.tag(`&${this.path()}`)}`],
      [1, () => this.tag(`lookup ${this.subject([...LISTS, ...OBJECTS])} ${this.operand()}`)],
      [1, () => this.line(random.pick(COMMENTS))],
      [3, () => this.condition()],
      [3, () => this.block('each', ` ${this.subject(LISTS)}`, { params: 2 })],
      [2, () => this.block('with', ` ${this.subject(OBJECTS)}`, { params: 1 })],
      [3, () => this.section()],
      [this.partials.length > 0 || this.isPartial ? 4 : 1.5, () => this.partial()],
      [0.8, () => this.inline()],
      [0.5, () => this.raw()],
      [0.2, () => `<a href="${random.chance(0.5) ? this.tag(this.path()) : this.partial()}">`],
      [0.1, () => this.tag(`log ${this.operand()}`)],
      [0.1, () => `y${this.tag(`#lookup ${this.operand()} "a"`)}z{{/lookup}}`],
    ])();
  }

  section() {
    const name = this.random.chance(0.7) ? this.name() : this.path();
    // What closes a literal is compared by its kind as well, and a helper of Courier's opens a block of its own.
    return /^["'\d]|^(true|null|undefined|\[add\])$/.test(name) ? '' : this.block(name, '');
  }

  raw() {
    const { random } = this;
    const name = random.pick(NAMES);
    return this.line(`{{{{${name}}}}}${random.pick(RAW)}{{{{/${name}}}}}`);
  }

  inline() {
    const { random, params } = this;
    const name = random.pick(random.chance(0.7) ? INLINES : PARTIALS);
    // What a block gives is something else in there.
    this.params = [];
    const text = this.line(this.tag(`#*inline "${name}"`)) + this.body() + this.line(this.tag('/inline'));
    this.params = params;
    this.inlines.push(name);
    return text;
  }

  body() {
    if (this.left <= 0) return this.random.chance(0.5) ? this.random.pick(['y', '\n', ' z ']) : '';
    const known = this.inlines.length;
    let text = '';
    for (let i = 1 + this.random.below(4); i > 0 && this.left > 0; i--) text += this.node();
    this.inlines.length = known;
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
    () => template.slice(0, at) + random.pick(MISTAKES) + template.slice(at),
    () => template.slice(0, at),
  ])().toWellFormed();
}

/** The template, data and partials with a number. */
export function generate(seed, number) {
  const random = new Random((seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0);
  random.next();
  const partials = {};
  if (random.chance(0.3)) {
    const names = PARTIALS.slice(0, 1 + random.below(2));
    for (const name of names) partials[name] = new Writer(random, random.chance(0.15) ? names : [], true).text();
  }
  let template = new Writer(random, Object.keys(partials)).text();
  if (random.chance(0.05)) template = spoiled(random, template);
  return { template, data: data(random), partials };
}
