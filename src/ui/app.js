// The shell: what the address names is shown, keys are handled, and environments chosen.

import { access, get, onRefused, part, queryOf, rememberedKey, useKey } from './api.js';
import { $, attempt, empty, fill, h, icon, on, options, paced, pairs, toast, ago, capital, counted } from './dom.js';
import * as live from './live.js';
import * as bench from './bench.js';
import * as compose from './compose.js';
import * as jobs from './jobs.js';
import * as outbox from './outbox.js';
import * as start from './start.js';
import * as templates from './templates.js';

// The address is `#/view/id/sub?params`. A view is opened with what it names, and told when that changes: one that
// says false is opened anew.
const VIEWS = { outbox, jobs, templates, compose, bench, start };
const NAV = Object.keys(VIEWS).slice(0, 5);
const PLACES = { ...Object.fromEntries(NAV.map((it) => [it[0], [it]])), d: ['bench', 'doctor'], f: ['bench', 'faults'] };
const KEYS = [
	['j k', 'next, previous'], ['Enter', 'open what is chosen'], ['Esc', 'back to where you were'], ['/', 'search the outbox'],
	...NAV.map((it) => [`g ${it[0]}`, capital(it)]), ['g d', 'doctor'], ['g f', 'faults'],
	['Home End PageUp PageDown', 'in a list'], ['?', 'this list'],
];
const STATES = { on: 'Live', off: 'Not connected', paused: 'Paused while the tab is hidden' };
// Between looks at which environments there are: while there is none, and after.
const [EAGER, CALM] = [700, 5000];

const [main, picker, mark, light, heading] = ['#main', '#env', '#doctor', '#live', '#heading'].map((it) => $(it));

let [view, shown, known, needsKey] = [null, '', [], false];
// Whether the environment has had nothing yet.
let isEmpty = false;

const find = (environment) => known.find((it) => it.environment === environment);

// Addresses are written by others, too: nothing in one is an error.
export function route() {
	const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
	const [name, id = '', sub = ''] = path.split('/').map((it) => new URLSearchParams(`=${it}`).get(''));
	return { view: name in VIEWS ? name : 'outbox', id, sub, params: Object.fromEntries(new URLSearchParams(query)) };
}

export const address = (path, params = {}) => `#/${path.filter(Boolean).map(part).join('/')}${queryOf({ ...params, env: access.environment ?? params.env })}`;

export function go(path, params = {}, replace = false) {
	const to = address(path, params);
	if (to === location.hash) return;
	history[replace ? 'replaceState' : 'pushState'](null, '', to);
	show();
}

const links = NAV.map((name) => h('a', icon(name === 'outbox' ? 'inbox' : name), h('span', capital(name))));
fill($('#views'), links);

// Empties the page for what is named so, unless it was there already.
function clear(name) {
	if (shown !== name) fill(main);
	[view, shown, main.className] = [null, name, `view-${name}`];
}

function show() {
	const to = route();
	const { env } = to.params;
	if (!needsKey && env && env !== access.environment && find(env)) return choose(env);
	if (needsKey && access.key === null) return ask();
	const name = isEmpty && ['outbox', 'jobs'].includes(to.view) && !to.id ? 'start' : to.view;
	document.title = `${to.id ? `${to.id.slice(0, 18)} · ` : ''}${capital(name)} · bulkd`;
	fill(heading, capital(name));
	NAV.forEach((it, at) => Object.assign(links[at], { href: address([it]), ariaCurrent: it === to.view ? 'page' : null }));
	if (shown === name && view && view.update(to) !== false) return;
	clear(name);
	view = VIEWS[name].open(main, to);
}

function choose(environment) {
	access.environment = environment;
	isEmpty = !environment || find(environment)?.last_job_at === null;
	clear('');
	live.open();
	paintPicker();
	const { view: name, id, sub, params } = route();
	if (environment && params.env !== environment) history.replaceState(null, '', address([name, id, sub], params));
	show();
	lookAtDoctor();
}

function paintPicker() {
	const list = !needsKey ? known.map(({ environment, label, last_job_at: last }) => [environment, `${label} · ${last ? ago(last) : 'empty'}`])
		: access.key === null ? [['', 'No key']] : [['', 'The key’s environment'], ['forget', 'Use another key…']];
	fill(picker, options(list.length ? list : [['', 'None yet']], access.environment));
}

on(picker, 'change', () => {
	if (picker.value === 'forget') forget();
	else if (picker.value) {
		access.environment = picker.value;
		history.pushState(null, '', address([route().view]));
		choose(picker.value);
	}
});

function forget() {
	useKey(null);
	live.close();
	paintPicker();
	ask();
}

// Asks for the key, and stays until one is accepted.
function ask() {
	clear('ask');
	const [input, said] = [h('input', { type: 'password', autocomplete: 'off', required: true }), h('p.bad', { role: 'alert' })];
	const open = async (event) => {
		event.preventDefault();
		useKey(input.value.trim());
		try {
			await enter();
		} catch (error) {
			useKey(null);
			fill(said, error.status === 401 ? 'This key is not one of those.' : error.message);
			input.select();
		}
	};
	fill(main, h('form.ask.card', { onsubmit: open }, h('h2', 'Which API key?'),
		h('p', 'This bulkd was started with ', h('code', '--api-key'), '. The key is kept in this tab only.'),
		h('label', 'API key', input), said, h('button.primary', { type: 'submit' }, 'Open')));
	input.focus();
}

async function enter() {
	const { users, jobs } = await get('/_bulkd/status');
	isEmpty = users.received === 0 && !Object.keys(jobs).length;
	live.open();
	paintPicker();
	show();
	lookAtDoctor();
}

// The environment that is shown stays in the list, also if it was reset or is too old for it.
function take(items) {
	const { environment } = access;
	const isKnown = !environment || items.some((it) => it.environment === environment);
	known = isKnown ? items : [...items, { environment, label: environment, ...find(environment), last_job_at: null }];
}

async function look() {
	const { items } = await get('/_bulkd/environments?limit=1000');
	take(items);
	if (document.activeElement !== picker) paintPicker();
	if (isEmpty && find(access.environment)?.last_job_at) filled();
	else if (!access.environment && known.length) choose(known[0].environment);
}

function filled() {
	isEmpty = false;
	if (shown === 'start') show();
}

async function watchEnvironments() {
	if (!document.hidden && !needsKey) await look().catch(() => {});
	setTimeout(watchEnvironments, isEmpty || !access.environment ? EAGER : CALM);
}

const lookAtDoctor = paced(1000, async () => {
	const found = await get('/_bulkd/doctor', { limit: 1000 }).catch(() => null);
	if (!found) return;
	const serious = found.items.filter((it) => it.level !== 'info').length;
	mark.hidden = !found.items.length;
	mark.className = `doctor ${found.worst}`;
	mark.href = address(['bench', 'doctor']);
	mark.title = `The doctor: ${found.summary}`;
	fill(mark, icon('doctor'), h('span', serious ? `${counted(serious, 'finding')} would hurt or fail` : counted(found.items.length, 'note')));
});

live.listen(main, ({ kinds, missed, made, jobs }) => {
	// A job that waits for its run is a finding as well.
	if (kinds.has('doctor') || jobs.size || missed) lookAtDoctor();
	if (isEmpty && (made || jobs.size)) filled();
});

live.onState((state) => Object.assign(light, { className: `live ${state}`, title: STATES[state] }));

function help() {
	const dialog = h('dialog.sheet', { label: 'Keys', onclose: () => dialog.remove() },
		h('h2', 'Keys'), pairs(KEYS.map(([keys, what]) => [keys.split(' ').map((it) => [h('kbd', it), ' ']), what])),
		h('p', 'In a search status:SENT, channel:sms, provider:twilio, recipient:ada and job:1-6b… become filters.'),
		h('button.primary', { onclick: () => dialog.close() }, 'Close'));
	document.body.append(dialog);
	dialog.showModal();
}

const list = () => document.activeElement?.closest('.rows') ?? [...main.querySelectorAll('.rows')].find((it) => it.offsetParent);

function search() {
	const field = () => $('input[type=search]', main);
	if (!field()?.offsetParent) go(['outbox']);
	field()?.focus();
	field()?.select();
}

// So soon after `g` a key names a place.
const SOON = 1200;
let prefix = -Infinity;
on(document, 'keydown', (event) => {
	const { key, target } = event;
	if (event.ctrlKey || event.metaKey || event.altKey || $('dialog[open]')) return;
	const isWriting = target.matches('input:not([type=checkbox]):not([type=radio]), textarea, select');
	const place = performance.now() - prefix < SOON && PLACES[key];
	const keys = { j: () => list()?.step(1), k: () => list()?.step(-1), g: () => (prefix = performance.now()), '?': help, '/': search };
	if (key === 'Escape') {
		if (isWriting) target.blur();
		else if (view?.back?.()) event.preventDefault();
	} else if (!isWriting && (place || keys[key] || (key === 'Enter' && target.matches('body, main')))) {
		prefix = -Infinity;
		event.preventDefault();
		if (place) {
			go(place);
			main.focus();
		} else if (keys[key]) keys[key]();
		else if (list()?.at >= 0) list().open(true);
	}
});

on($('#help'), 'click', help);
on($('#skip'), 'click', () => main.focus());
on(window, 'hashchange', show);
onRefused(() => needsKey && shown !== 'ask' && forget());
// Files that are dropped elsewhere open nothing.
for (const name of ['dragover', 'drop']) on(window, name, (event) => event.preventDefault());

async function begin() {
	try {
		({ needs_key: needsKey, items: known } = await get('/_bulkd/environments?limit=1000'));
		if (needsKey) {
			access.key = rememberedKey();
			paintPicker();
			return access.key === null ? ask() : await enter();
		}
		const { env } = route().params;
		if (env && !find(env)) {
			access.environment = env;
			if (await get('/_bulkd/status').catch(() => null)) take(known);
			else toast('That environment is empty', 'bad');
		}
		choose((find(env) ?? known[0])?.environment ?? null);
	} catch (error) {
		fill(main, empty('bulkd does not answer', h('p', error.message), h('button.primary', { onclick: () => location.reload() }, 'Try again')));
	}
}

attempt(begin).then(watchEnvironments);
