// Elements, made of names and values. Text stays text: nothing here takes markup.

import { exactly, reasonWord, statusKind, statusMeaning, statusWord } from './words.js';

// An element: `h('p.dim', {title: 'Why'}, 'Because')`. Of its properties `on…` are listeners, `data` and `style` are what they
// say, `label` is for who does not see, and booleans are there or not.
export function h(name, ...children) {
	const [tag, ...classes] = name.split('.');
	/** @type {any} */
	const element = document.createElement(tag);
	element.className = classes.join(' ').trim();
	if (tag === 'button') element.type = 'button';
	const [first] = children;
	const props = first && typeof first === 'object' && !Array.isArray(first) && !(first instanceof Node) ? children.shift() : {};
	for (const [key, value] of Object.entries(props)) {
		if ((value ?? false) === false) continue;
		if (key.startsWith('on')) on(element, key.slice(2), value);
		else if (key === 'label') element.ariaLabel = value;
		else if (key === 'data') Object.assign(element.dataset, value);
		else if (key === 'style') for (const [it, of] of Object.entries(value)) element.style.setProperty(it, String(of));
		else if (key === 'value') element.value = value;
		else element.setAttribute(key, value === true ? '' : String(value));
	}
	return add(element, children);
}

export function add(parent, children) {
	for (const child of children.flat(Infinity)) if ((child ?? false) !== false) parent.append(child);
	return parent;
}

const reached = (parent) => [...parent.querySelectorAll('a, button, input, select, textarea, summary, [tabindex]')];

// Puts these in place of what there is. Where the keyboard was it stays.
export function fill(parent, ...children) {
	const at = parent.contains(document.activeElement) ? reached(parent).indexOf(document.activeElement) : -1;
	parent.replaceChildren();
	add(parent, children);
	if (at >= 0) reached(parent).slice(0, at + 1).at(-1)?.focus({ preventScroll: true });
	return parent;
}

export function s(tag, props, ...children) {
	const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
	return add(element, children);
}

// The first element of a page, or of a part of it.
/** @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);

export const on = (target, name, listener) => target.addEventListener(name, listener, { passive: name === 'scroll' });

export const icon = (name, label) => s('svg', { class: 'i', viewBox: '0 0 16 16', ...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true }) }, s('use', { href: `#i-${name}` }));

// Names, and what belongs to each.
export const pairs = (list, kind = '') => h(`dl.pairs.${kind}`, list.map(([name, ...values]) => h('div', h('dt', name), h('dd', values))));

// A moment, shown shortly or by its second.
export const time = (at, shown = exactly(at).slice(0, 19), kind = '') => h(`time.${kind}`, { title: exactly(at) }, shown);

export const pill = (status, reason = '') => h(`span.pill.${statusKind(status)}`, { title: [statusMeaning(status), reasonWord(reason)].filter(Boolean).join(': ') }, statusWord(status));

export const idWithCopy = (id, label) => h('span.id', h('code', id), copy(id, `Copy the ${label}`));

// What can be chosen in a select: values, or values with their words.
export const options = (list, chosen) => list.map(([value, word = value]) => h('option', { value, selected: value === chosen }, word));

export const select = (label, list, chosen, choose, kind = '.chip') => h(`select${kind}`, { label, onchange: (event) => choose(event.target.value, event.target) }, options(list, chosen));

export function toast(text, kind = 'good') {
	const it = h(`p.toast.${kind}`, text);
	$('#toasts').append(it);
	setTimeout(() => it.remove(), kind === 'bad' ? 8000 : 2500);
}

export function copy(text, label = 'Copy') {
	const button = h('button.copy.quiet', { label, title: label, onclick: async (event) => {
		event.stopPropagation();
		try {
			await navigator.clipboard.writeText(typeof text === 'string' ? text : text());
			button.classList.add('done');
			setTimeout(() => button.classList.remove('done'), 1200);
			toast('Copied');
		} catch {
			toast('The browser does not let the page copy here', 'bad');
		}
	} }, icon('copy'));
	return button;
}

// Text that can be scrolled by keys.
export const region = (kind, label, ...children) => h(`pre.${kind}`, { tabindex: 0, role: 'region', label }, children);

export const code = (text, label = 'Copy the code') => h('div.code', region('', label.replace('Copy the ', ''), text), copy(text, label));

// Longer texts in JSON are shown by their beginning.
const SHOWN = 400;

// JSON with its kinds of values apart.
export function json(value, label = 'JSON') {
	const text = JSON.stringify(value, (_, it) => (typeof it === 'string' && it.length > SHOWN ? `${it.slice(0, SHOWN)}… (${it.length.toLocaleString('en')} characters)` : it), 2) ?? 'null';
	// Of five parts the first stands between, and then come a string, the colon behind a name, a number and a word.
	const parts = text.split(/("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g);
	const shown = parts.map((part, at) => part && (at % 5 === 1 ? h(parts[at + 1] ? 'span.k' : 'span.s', part) : at % 5 === 3 ? h('span.n', part) : at % 5 === 4 ? h('span.b', part) : part));
	return h('div.code', region('json', label, shown), copy(() => JSON.stringify(value, null, 2), 'Copy the JSON'));
}

// Buttons of which one is chosen.
export function choice(label, list, chosen, choose) {
	const group = h('div.choice', { role: 'group', label }, list.map(([name, shown = name]) => h('button', { 'aria-pressed': String(name === chosen), onclick: (event) => {
		for (const it of group.children) it.ariaPressed = String(it === event.currentTarget);
		choose(name);
	} }, shown)));
	return group;
}

// A choice of what a state has by this name.
export const chosenIn = (state, name, label, list, then) => choice(label, list, state[name], (to) => {
	state[name] = to;
	then();
});

// The language that was chosen last is the first everywhere.
const language = { chosen: '' };

// The same in several languages, by their names.
export function languages(texts, label) {
	const names = Object.keys(texts);
	const [place, state] = [h('div'), names.includes(language.chosen) ? language : { chosen: names[0] }];
	const show = () => {
		language.chosen = state.chosen;
		fill(place, code(texts[state.chosen], label));
	};
	fill(place, code(texts[state.chosen], label));
	return [chosenIn(state, 'chosen', 'Language', names.map((it) => [it]), show), place];
}

export const empty = (title, ...more) => h('div.empty', h('p.empty-title', title), more);

// What stands above a page.
export const top = (title, about, ...more) => [h('header.page-top', h('h2', title), h('span.grow'), more), h('p.lead', about)];

// Names at the side, and what belongs to the one that is chosen.
export function two(root, label, shown) {
	const [names, place] = [h('nav.side', { label }), h('section.pane', { label: shown })];
	fill(root, h('div.two', names, place));
	return [names, place];
}

// Runs work, and says why it failed.
export async function attempt(work, done = '') {
	try {
		const result = await work();
		if (done) toast(done);
		return result ?? true;
	} catch (error) {
		if (error.name !== 'AbortError') toast(String(error.message), 'bad');
		return undefined;
	}
}

// A button that does something, says that it is done, and goes on.
export const button = (shown, work, done, then, kind = '', props = {}) => h(`button${kind}`, { ...props, onclick: () => attempt(work, done).then(then) }, shown);

// Calls at most once in so many milliseconds, never before the call before has ended, and a last time. So what is looked up is
// shown in the order in which it was asked for.
export function paced(millis, work) {
	let [last, timer, isBusy, isDue] = [-Infinity, 0, false, false];
	const call = () => {
		isDue = isBusy;
		if (!isBusy && !timer) timer = setTimeout(run, Math.max(0, last + millis - performance.now()));
	};
	const run = async () => {
		[last, timer, isBusy, isDue] = [performance.now(), 0, true, false];
		try {
			await work();
		} finally {
			isBusy = false;
			if (isDue) call();
		}
	};
	return Object.assign(call, { stop: () => {
		clearTimeout(timer);
		[timer, isDue] = [0, false];
	} });
}
