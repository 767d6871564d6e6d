// Elements, made of names and values. Text stays text: nothing here takes markup.

import { channelWord, exactly, reasonWord, statusKind, statusMeaning, statusWord } from './words.js';

export * from './words.js';

// An element: `h('p.dim', {title: 'Why'}, 'Because')`. Of its properties `on…` are listeners, `label` is for who does not
// see, and booleans are there or not. Without a tag it is a div.
export function h(name, ...children) {
	const [tag, ...classes] = name.split('.');
	/** @type {any} */
	const element = document.createElement(tag || 'div');
	element.className = classes.join(' ').trim();
	if (tag === 'button') element.type = 'button';
	const props = children[0]?.constructor === Object ? children.shift() : {};
	for (const [key, value] of Object.entries(props)) {
		if ((value ?? false) === false) continue;
		if (key.startsWith('on')) on(element, key.slice(2), value);
		else if (key === 'label') element.ariaLabel = value;
		else if (key === 'style') Object.assign(element.style, value);
		else if (key === 'value') element.value = value;
		else element.setAttribute(key, value === true ? '' : String(value));
	}
	return add(element, children);
}

function add(parent, children) {
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

/** @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);

export const on = (target, name, listener) => target.addEventListener(name, listener, { passive: name === 'scroll' });

export const icon = (name, label) => s('svg', { class: 'i', viewBox: '0 0 16 16', ...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true }) }, s('use', { href: `#i-${name}` }));

export const grow = () => h('span.grow');

export const dim = (...children) => h('span.dim', children);

export const link = (href, ...children) => h('a', { href }, children);

export const pairs = (list, kind = '') => h(`dl.pairs.${kind}`, list.map(([name, ...values]) => h('div', h('dt', name), h('dd', values))));

export const time = (at, shown = exactly(at).slice(0, 19)) => h('time', { title: exactly(at) }, shown);

export const tag = (kind, shown, title = '') => h(`span.pill.${kind}`, { title }, shown);

export const pill = (status, reason = '') => tag(statusKind(status), statusWord(status), [statusMeaning(status), reasonWord(reason)].filter(Boolean).join(': '));

// What can be chosen: values, or values with their words.
const choices = (list) => list.map((it) => [it].flat()).map(([value, word = value]) => [value, word]);

export const options = (list, chosen) => choices(list).map(([value, word]) => h('option', { value, selected: value === chosen }, word));

export const select = (label, list, chosen, choose, kind = '.chip') => h(`select${kind}`, { label, onchange: ({ target }) => choose(target.value) }, options(list, chosen));

// Buttons of which one is chosen: what a state has by this name.
export function choice(state, name, label, list, then) {
	const group = h('.choice', { role: 'group', label }, choices(list).map(([value, word]) => h('button', { 'aria-pressed': String(value === state[name]), onclick: ({ currentTarget }) => {
		for (const it of group.children) it.ariaPressed = String(it === currentTarget);
		state[name] = value;
		then();
	} }, word)));
	return group;
}

export const byChannel = (channels) => channels.map((it) => [it, [icon(it), channelWord(it)]]);

export function toast(text, kind = 'good') {
	const it = h(`p.toast.${kind}`, text);
	$('#toasts').append(it);
	setTimeout(() => it.remove(), kind === 'bad' ? 8000 : 2500);
}

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

export const button = (shown, work, done = '', then = null, kind = '', props = {}) => h(`button${kind}`, { ...props, onclick: () => attempt(work, done).then(then) }, shown);

export const copy = (text, label) => button(icon('copy'), () => {
	if (!navigator.clipboard) throw new Error('The browser does not let the page copy here');
	return navigator.clipboard.writeText(typeof text === 'string' ? text : text());
}, 'Copied', null, '.copy.quiet', { label, title: label });

export const closer = (work) => button('×', work, '', null, '.quiet', { label: 'Close', title: 'Close (Esc)' });

export const idWithCopy = (id, label) => h('span.id', h('code', id), copy(id, `Copy the ${label}`));

export const region = (kind, label, ...children) => h(`pre.${kind}`, { tabindex: 0, role: 'region', label }, children);

export const code = (shown, label, whole = shown) => h('.code', region('', label, shown), copy(whole, `Copy the ${label}`));

// Longer texts in JSON are shown by their beginning.
const SHOWN = 400;
const shortened = (_, it) => (typeof it === 'string' && it.length > SHOWN ? `${it.slice(0, SHOWN)}… (${it.length.toLocaleString('en')} characters)` : it);

export const json = (value, label) => code(JSON.stringify(value, shortened, 2) ?? 'null', label, () => JSON.stringify(value, null, 2));

// The language that was chosen last is the first everywhere.
let language = '';

export function languages(texts, label) {
	const [place, state] = [h('div'), { chosen: language in texts ? language : Object.keys(texts)[0] }];
	const show = () => fill(place, code(texts[state.chosen], label));
	show();
	return [choice(state, 'chosen', 'Language', Object.keys(texts), () => {
		language = state.chosen;
		show();
	}), place];
}

export const empty = (title, ...more) => h('.empty', h('p.empty-title', title), more);

export const section = (title, ...content) => h('section', h('h3', title), content);

export const top = (title, about, ...more) => [h('header.page-top', h('h2', title), more), about && h('p.lead', about)];

export function two(root, label, ...names) {
	const [nav, place] = [h('nav.side', { label }, names), h('section.pane', { label })];
	fill(root, h('.two', nav, place));
	return [nav, place];
}

export const sideLink = (href, isChosen, ...shown) => h('a', { href, 'aria-current': isChosen && 'page' }, shown);

// Calls at most once in so many milliseconds, one after the other, and a last time. So answers are shown in the order of their
// questions.
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
