// The shell: what the address names is shown, keys are handled, and the environment is chosen.

import { access, get, onRefused, part, queryOf, rememberedKey, useKey } from './api.js';
import { $, attempt, empty, fill, h, icon, on, options, pairs, toast } from './dom.js';
import { live } from './live.js';
import { ago, count, counted } from './words.js';
import * as bench from './bench.js';
import * as compose from './compose.js';
import * as jobs from './jobs.js';
import * as outbox from './outbox.js';
import * as start from './start.js';
import * as templates from './templates.js';

// The address is `#/view/id/sub?params`. A view is opened with what it names, and told when that changes.
const VIEWS = { outbox, jobs, templates, compose, bench, start };
const TITLES = { outbox: 'Outbox', jobs: 'Jobs', templates: 'Templates', compose: 'Compose', bench: 'Bench', start: 'Welcome' };
const NAV = Object.keys(VIEWS).slice(0, 5);
// Where `g` and a key lead.
const PLACES = { o: ['outbox'], j: ['jobs'], t: ['templates'], c: ['compose'], b: ['bench'], d: ['bench', 'doctor'] };
const KEYS = [['j k', 'next, previous'], ['Enter', 'open what is chosen'], ['Esc', 'back to where you were'], ['/', 'search the outbox'], ['g o', 'Outbox'], ['g j', 'Jobs'], ['g t', 'Templates'], ['g c', 'Compose'], ['g b', 'Bench'], ['g d', 'what the doctor has found'], ['Home End', 'first, last of a list'], ['?', 'this list']];
// Between looks at which environments there are: while there is none, and after.
const [EAGER, CALM] = [700, 5000];

const [main, picker, mark, light] = ['#main', '#env', '#doctor', '#live'].map((it) => $(it));

let [view, shown, known, needsKey] = [null, '', [], false];
// Whether the environment has had nothing yet.
let isEmpty = false;

const find = (environment) => known.find((it) => it.environment === environment);

export function route() {
	const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
	const [name, id = '', sub = ''] = path.split('/').map(decodeURIComponent);
	return { view: name in VIEWS ? name : 'outbox', id, sub, params: Object.fromEntries(new URLSearchParams(query)) };
}

export const address = (path, params = {}) => `#/${path.filter(Boolean).map(part).join('/')}${queryOf({ ...params, env: access.environment ?? params.env })}`;

export function go(path, params = {}, replace = false) {
	const to = address(path, params);
	if (to === location.hash) return;
	if (replace) {
		history.replaceState(null, '', to);
		show();
	} else location.hash = to;
}

const links = NAV.map((name) => h('a', icon(name), h('span', TITLES[name])));
fill($('#views'), links);

function close() {
	view?.close?.();
	[view, shown] = [null, ''];
}

function show() {
	const to = route();
	const { env } = to.params;
	if (!needsKey && env && env !== access.environment && find(env)) return choose(env);
	if (needsKey && access.key === null) return ask();
	const name = isEmpty && (to.view === 'outbox' || to.view === 'jobs') && !to.id ? 'start' : to.view;
	document.title = `${to.id ? `${to.id.slice(0, 18)} · ` : ''}${TITLES[name]} · bulkd`;
	NAV.forEach((it, at) => Object.assign(links[at], { href: address([it]), ariaCurrent: it === to.view ? 'page' : null }));
	if (shown === name && view) return view.update(to);
	close();
	shown = name;
	main.className = `view-${name}`;
	view = VIEWS[name].open(fill(main), to);
}

function choose(environment) {
	access.environment = environment;
	isEmpty = !environment || find(environment)?.last_job_at === null;
	close();
	live.open();
	paintPicker();
	const { view: name, id, sub, params } = route();
	if (environment && params.env !== environment) history.replaceState(null, '', address([name, id, sub], params));
	show();
	lookAtDoctor();
}

function paintPicker() {
	const list = !needsKey ? known.map(({ environment, label, last_job_at: last }, at) => [environment, `${label} · ${last ? ago(last) : 'empty'}${at === 0 && known.length > 1 ? ' · newest' : ''}`])
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
	close();
	shown = 'ask';
	const input = h('input', { type: 'password', autocomplete: 'off', required: true });
	const said = h('p.bad', { role: 'alert' });
	main.className = 'view-ask';
	fill(main, h('form.ask.card', { onsubmit: async (event) => {
		event.preventDefault();
		useKey(input.value.trim());
		try {
			await enter();
		} catch (error) {
			useKey(null);
			fill(said, error.status === 401 ? 'This key is not one of those that were named.' : error.message);
			input.select();
		}
	} }, h('h1', icon('key'), ' Which API key?'), h('p', 'This bulkd was started with ', h('code', '--api-key'), '. The key opens its environment, and is kept in this tab alone.'), h('label', 'API key', input), said, h('button.primary', { type: 'submit' }, 'Open')));
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

// These are the environments. One that is shown stays among them, also if it was reset, or is too old for the list.
function take(items) {
	const { environment } = access;
	const now = { environment, label: environment, ...find(environment), last_job_at: null };
	known = environment && !items.some((it) => it.environment === environment) ? [...items, now] : items;
}

// Looks which environments there are, and goes to the newest where none is shown.
async function look() {
	const { items } = await get('/_bulkd/environments?limit=1000');
	const told = () => JSON.stringify(known.map((it) => [it.environment, it.last_job_at]));
	const before = told();
	take(items);
	if (before !== told() && document.activeElement !== picker) paintPicker();
	if (isEmpty && find(access.environment)?.last_job_at) filled();
	else if (!access.environment && known.length) choose(known[0].environment);
}

function filled() {
	isEmpty = false;
	if (shown === 'start') show();
}

async function watchEnvironments() {
	for (;;) {
		await new Promise((resolve) => setTimeout(resolve, isEmpty || !access.environment ? EAGER : CALM));
		if (!document.hidden && !needsKey) await look().catch(() => {});
	}
}

// What the doctor has found, beside all that is shown.
let isLooking = false;

async function lookAtDoctor() {
	if (isLooking) return;
	isLooking = true;
	const found = await get('/_bulkd/doctor').catch(() => null);
	isLooking = false;
	if (!found) return;
	const serious = found.items.filter((it) => it.level !== 'info').length;
	mark.hidden = !found.items.length;
	mark.className = `doctor ${found.worst}`;
	mark.href = address(['bench', 'doctor']);
	mark.title = `The doctor: ${found.summary}. What passed here and would hurt at Courier.`;
	fill(mark.lastChild, serious ? counted(serious, 'finding') : counted(found.items.length, 'note'));
}

live.listen(({ kinds, missed, made, jobs }) => {
	if (kinds.has('doctor') || missed) lookAtDoctor();
	if (isEmpty && (made || jobs.size)) filled();
});

live.onState = (state, perSecond) => {
	light.className = `live ${state}`;
	light.title = { on: 'Live: what happens is shown as it happens', off: 'Not connected: bulkd does not answer', paused: 'Paused while the tab is hidden' }[state];
	fill(light.lastChild, perSecond > 0 && `${count(perSecond)}/s`);
};

function help() {
	const dialog = h('dialog.sheet', { label: 'Keys', onclose: () => dialog.remove() },
		h('h2', 'Keys'), pairs(KEYS.map(([keys, what]) => [keys.split(' ').map((it) => [h('kbd', it), ' ']), what])),
		h('h3', 'Words of a search'),
		h('p', 'Words are looked for in subject, body, address and recipient. ', ['status:SENT', 'channel:sms', 'provider:twilio', 'recipient:ada', 'job:1-6b…'].map((it) => [h('code', it), ' ']), 'become filters.'),
		h('button.primary', { onclick: () => dialog.close() }, 'Close'));
	document.body.append(dialog);
	dialog.showModal();
}

// The list that keys move in.
const list = () => document.activeElement?.closest('bulkd-rows') ?? [...main.querySelectorAll('bulkd-rows')].find((it) => it.offsetParent);

function search() {
	const field = $('input[type=search]', main);
	if (field?.offsetParent) return field.select();
	go(['outbox']);
	requestAnimationFrame(() => $('input[type=search]', main)?.select());
}

let prefix = -Infinity;
on(document, 'keydown', (event) => {
	const { key, target } = event;
	if (event.ctrlKey || event.metaKey || event.altKey || $('dialog[open]')) return;
	const isWriting = target.matches('input:not([type=checkbox]):not([type=radio]), textarea, select');
	const place = performance.now() - prefix < 1200 && PLACES[key];
	const keys = { j: () => list()?.step(1), k: () => list()?.step(-1), g: () => (prefix = performance.now()), '?': help, '/': search };
	if (key === 'Escape') {
		if (isWriting) target.blur();
		else if (view?.back?.()) event.preventDefault();
	} else if (!isWriting && (place || keys[key] || (key === 'Enter' && target.matches('body, main')))) {
		prefix = -Infinity;
		event.preventDefault();
		if (place) go(place);
		else if (keys[key]) keys[key]();
		else list()?.emit('open', true);
	}
});

on($('#help'), 'click', help);
on($('#skip'), 'click', () => main.focus());
on(window, 'hashchange', show);
on(document, 'visibilitychange', () => !document.hidden && !needsKey && look().catch(() => {}));
onRefused(() => needsKey && shown !== 'ask' && forget());
// Files are dropped where they are wanted, and open nothing elsewhere.
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
			else toast('That environment has nothing any more', 'bad');
		}
		choose((find(env) ?? known[0])?.environment ?? null);
	} catch (error) {
		fill(main, empty('bulkd does not answer', h('p', error.message), h('button.primary', { onclick: () => location.reload() }, 'Try again')));
	}
}

attempt(begin).then(watchEnvironments);
