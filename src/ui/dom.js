// Elements, made of names and values. Text stays text: nothing here takes markup.

const SVG = 'http://www.w3.org/2000/svg';

// An element: `h('p.dim', {title: 'Why'}, 'Because')`. Of its properties `on…` are listeners, `data` and `style` are what they
// say, `label` is for who does not see, and booleans are there or not.
export function h(name, ...children) {
	const [tag, ...classes] = name.split('.');
	/** @type {any} */
	const element = document.createElement(tag);
	element.className = classes.join(' ').trim();
	if (tag === 'button') element.setAttribute('type', 'button');
	const [first] = children;
	const props = first && typeof first === 'object' && !Array.isArray(first) && !(first instanceof Node) ? children.shift() : {};
	for (const [key, value] of Object.entries(props)) {
		if ((value ?? false) === false) continue;
		if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
		else if (key === 'label') element.setAttribute('aria-label', value);
		else if (key === 'data') Object.assign(element.dataset, value);
		else if (key === 'style') for (const [it, of] of Object.entries(value)) element.style.setProperty(it, String(of));
		else if (key === 'value') element.value = value;
		else element.setAttribute(key, value === true ? '' : String(value));
	}
	add(element, children);
	return element;
}

export function add(parent, children) {
	for (const child of children.flat(Infinity)) {
		if ((child ?? false) === false) continue;
		parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
	}
	return parent;
}

export function fill(parent, ...children) {
	parent.replaceChildren();
	return add(parent, children);
}

export function s(tag, props, ...children) {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
	element.append(...children);
	return element;
}

export const icon = (name, label) => s('svg', { class: 'i', viewBox: '0 0 16 16', ...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true }) }, s('use', { href: `#i-${name}` }));

// Names, and what belongs to each.
export const pairs = (list, kind = '') => h(`dl.pairs.${kind}`, list.map(([name, ...values]) => h('div', h('dt', name), h('dd', ...values))));

// What can be chosen in a select: values, or values with their words.
export const options = (list, chosen) => list.map(([value, word = value]) => h('option', { value, selected: value === chosen }, word));

// What stands in the document for this.
export function template(id) {
	return $(`#${id}`).content.firstElementChild.cloneNode(true);
}

// The first element of a page, or of a part of it.
/** @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);

export const on = (target, name, listener) => target.addEventListener(name, listener, { passive: name === 'scroll' });

export function toast(text, kind = 'good') {
	const it = h(`p.toast.${kind}`, text);
	$('#toasts').append(it);
	setTimeout(() => it.remove(), kind === 'bad' ? 8000 : 2500);
}

export function copy(text, label = 'Copy', shown = '') {
	const button = h('button.copy.quiet', { label, title: label }, icon('copy'), shown);
	on(button, 'click', async (event) => {
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

// Text that can be scrolled by keys.
export const region = (kind, label, ...children) => h(`pre.${kind}`, { tabindex: 0, role: 'region', label }, children);

export function code(text, label = 'Copy the code') {
	return h('div.code', region('', label.replace('Copy the ', ''), text), copy(text, label));
}

// Longer texts in JSON are shown by their beginning.
const SHOWN = 400;

// JSON with its kinds of values apart.
export function json(value, label = 'JSON') {
	const pre = region('json', label);
	const text = JSON.stringify(value, (_, it) => (typeof it === 'string' && it.length > SHOWN ? `${it.slice(0, SHOWN)}… (${it.length.toLocaleString('en')} characters)` : it), 2) ?? 'null';
	const tokens = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
	let last = 0;
	for (const match of text.matchAll(tokens)) {
		pre.append(text.slice(last, match.index));
		const kind = match[2] ? 'k' : match[1] ? 's' : match[3] ? 'n' : 'b';
		pre.append(h(`span.${kind}`, match[1] ?? match[0]), match[2] ?? '');
		last = match.index + match[0].length;
	}
	pre.append(text.slice(last));
	return h('div.code', pre, copy(() => JSON.stringify(value, null, 2), 'Copy the JSON'));
}

// Buttons of which one is chosen.
export function choice(label, options, chosen, choose) {
	const group = h('div.choice', { role: 'group', label });
	for (const [name, shown] of options) {
		const button = h('button', { 'aria-pressed': String(name === chosen) }, shown);
		on(button, 'click', () => {
			for (const it of group.children) it.setAttribute('aria-pressed', String(it === button));
			choose(name);
		});
		group.append(button);
	}
	return group;
}

// A choice of what a state has by this name.
export const chosenIn = (state, name, label, list, then) => choice(label, list, state[name], (to) => {
	state[name] = to;
	then();
});

export function empty(title, ...more) {
	return h('div.empty', h('p.empty-title', title), ...more);
}

// Runs work, and says why it failed.
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

// A button that does something, says that it is done, and goes on.
export const button = (shown, work, done, then, kind = '', title = undefined) => h(`button${kind}`, { title, onclick: () => attempt(work, done).then(then) }, shown);

// Calls at most once in so many milliseconds, and a last time.
export function paced(millis, work) {
	let last = 0;
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
