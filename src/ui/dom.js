// Elements, made of names and values. Text stays text: nothing here takes markup.

const SVG = 'http://www.w3.org/2000/svg';

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element: `h('p.dim', {title: 'Why'}, 'Because')`. Of its properties `on…` are listeners, `data` and `style` are what they
 * say, and booleans are there or not.
 * @param {string} name with its classes
 * @param {...any} children behind the properties, if there are any
 * @returns {any}
 */
export function h(name, ...children) {
  const [tag, ...classes] = name.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  if (tag === 'button') element.setAttribute('type', 'button');
  const [first] = children;
  const props = first && typeof first === 'object' && !Array.isArray(first) && !(first instanceof Node) ? children.shift() : {};
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.className += ` ${value}`;
    else if (key === 'data') Object.assign(element.dataset, value);
    else if (key === 'style') for (const [it, of] of Object.entries(value)) element.style.setProperty(it, String(of));
    else if (key === 'value') /** @type {any} */ (element).value = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  add(element, children);
  return element;
}

/** @param {Node} parent @param {any[]} children */
export function add(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return parent;
}

/** Puts these in place of what an element has. @param {Element} parent @param {...any} children */
export function fill(parent, ...children) {
  parent.replaceChildren();
  return add(parent, children);
}

/** @param {string} name @param {string} [label] what it means, where no text beside it says so */
export function icon(name, label) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('class', 'i');
  if (label) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
  } else svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

/** @param {string} tag @param {Record<string, any>} props @param {...SVGElement} children */
export function s(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** What stands in the document for this. @param {string} id */
export function template(id) {
  const found = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {any} */ (found.content.firstElementChild).cloneNode(true);
}

/** Says something for a moment. @param {string} text @param {'good' | 'bad'} [kind] */
export function toast(text, kind = 'good') {
  const place = document.getElementById('toasts');
  const it = h('p', { class: `toast ${kind}` }, text);
  place?.append(it);
  setTimeout(() => it.remove(), kind === 'bad' ? 8000 : 2500);
}

/** A button that copies. @param {string | (() => string)} text @param {string} [label] @param {string} [shown] */
export function copy(text, label = 'Copy', shown = '') {
  const button = h('button.copy.quiet', { 'aria-label': label, title: label }, icon('copy'), shown);
  button.addEventListener('click', async (event) => {
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : text());
      button.classList.add('done');
      setTimeout(() => button.classList.remove('done'), 1200);
      toast('Copied');
    } catch {
      toast('The browser does not let the page copy here', 'bad');
    }
  });
  return button;
}

/** A block of code with a button to copy it. @param {string} text @param {string} [label] */
export function code(text, label = 'Copy the code') {
  return h('div.code', h('pre', { tabindex: 0, role: 'region', 'aria-label': label.replace('Copy the ', '') }, text), copy(text, label));
}

/** Longer texts in JSON are shown by their beginning. */
const SHOWN = 400;

/** JSON with its kinds of values apart. @param {any} value @param {string} [label] */
export function json(value, label = 'JSON') {
  const pre = h('pre.json', { tabindex: 0, role: 'region', 'aria-label': label });
  const text = JSON.stringify(value, (_, it) => (typeof it === 'string' && it.length > SHOWN ? `${it.slice(0, SHOWN)}… (${it.length.toLocaleString('en')} characters)` : it), 2) ?? 'null';
  const tokens = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
  let last = 0;
  for (const match of text.matchAll(tokens)) {
    pre.append(text.slice(last, match.index));
    const kind = match[2] ? 'k' : match[1] ? 's' : match[3] ? 'n' : 'b';
    pre.append(h('span', { class: kind }, match[1] ?? match[0]), match[2] ?? '');
    last = match.index + match[0].length;
  }
  pre.append(text.slice(last));
  return h('div.code', pre, copy(() => JSON.stringify(value, null, 2), 'Copy the JSON'));
}

/**
 * Buttons of which one is chosen.
 * @param {string} label
 * @param {[string, Child | Child[]][]} options
 * @param {string} chosen
 * @param {(name: string) => void} choose
 */
export function choice(label, options, chosen, choose) {
  const group = h('div.choice', { role: 'group', 'aria-label': label });
  for (const [name, shown] of options) {
    const button = h('button', { 'aria-pressed': String(name === chosen) }, shown);
    button.addEventListener('click', () => {
      for (const it of group.children) it.setAttribute('aria-pressed', String(it === button));
      choose(name);
    });
    group.append(button);
  }
  return group;
}

/** What stands where nothing is. @param {string} title @param {...any} more */
export function empty(title, ...more) {
  return h('div.empty', h('p.empty-title', title), ...more);
}

/** Runs work, and says why it failed. @param {() => Promise<any>} work @param {string} [done] */
export async function attempt(work, done) {
  try {
    const result = await work();
    if (done) toast(done);
    return result ?? true;
  } catch (error) {
    if (error.name !== 'AbortError') toast(String(error.message), 'bad');
    return undefined;
  }
}

/** Calls at most once in so many milliseconds, and a last time. @param {number} millis @param {() => void} work */
export function paced(millis, work) {
  let last = 0;
  /** @type {any} */
  let timer;
  const run = () => {
    timer = undefined;
    last = performance.now();
    work();
  };
  return Object.assign(() => {
    if (timer === undefined) timer = setTimeout(run, Math.max(0, last + millis - performance.now()));
  }, { stop: () => {
    clearTimeout(timer);
    timer = undefined;
  } });
}
