// The shell: what the address names is shown, keys are handled, and the environment is chosen.

import { access, get, onRefused, rememberedKey, useKey } from './api.js';
import { $, add, attempt, fill, h, icon, on, template, toast } from './dom.js';
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
// Between looks at which environments there are: while there is none, and after.
const [EAGER, CALM] = [700, 5000];

const main = $('#main');
const picker = $('#env');

let [view, shown, known, needsKey] = [null, '', [], false];
// Whether the environment has had anything yet.
let isEmpty = false;

const find = (environment) => known.find((it) => it.environment === environment);

export function route() {
	const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
	const [name, id = '', sub = ''] = path.split('/').map(decodeURIComponent);
	return { view: name in VIEWS ? name : 'outbox', id, sub, params: new URLSearchParams(query) };
}

export function address(path, params = {}) {
	const query = new URLSearchParams();
	const given = params instanceof URLSearchParams ? params.entries() : Object.entries(params);
	for (const [name, value] of given) if ((value ?? '') !== '' && name !== 'env') query.set(name, String(value));
	if (access.environment) query.set('env', access.environment);
	const text = query.toString();
	return `#/${path.filter(Boolean).map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`;
}

export function go(path, params, replace) {
	const to = address(path, params);
	if (to === location.hash) return;
	if (replace) {
		history.replaceState(null, '', to);
		show();
	} else location.hash = to;
}

const links = NAV.map((name) => h('a', icon(name), h('span', TITLES[name])));
fill($('#views'), links);

function paintViews(shown) {
	NAV.forEach((name, at) => {
		links[at].href = address([name]);
		links[at].ariaCurrent = name === shown ? 'page' : null;
	});
}

function show() {
	const to = route();
	const asked = to.params.get('env');
	if (!needsKey && asked && asked !== access.environment && find(asked)) return choose(asked);
	if (needsKey && access.key === null) return ask();
	const name = isEmpty && (to.view === 'outbox' || to.view === 'jobs') && !to.id ? 'start' : to.view;
	document.title = `${to.id ? `${to.id.slice(0, 18)} · ` : ''}${TITLES[name]} · bulkd`;
	paintViews(to.view);
	if (shown === name && view) view.update(to);
	else {
		view?.close?.();
		shown = name;
		main.replaceChildren();
		main.className = `view-${name}`;
		view = VIEWS[name].open(main, to);
	}
}

function choose(environment) {
	access.environment = environment;
	isEmpty = !environment || find(environment)?.last_job_at === null;
	view?.close?.();
	[view, shown] = [null, ''];
	live.open();
	paintPicker();
	const to = route();
	if (environment && to.params.get('env') !== environment) history.replaceState(null, '', address([to.view, to.id, to.sub].filter(Boolean), to.params));
	show();
	lookAtDoctor();
}

function paintPicker() {
	if (needsKey) return fill(picker, h('option', { value: '' }, access.key === null ? 'No key' : 'The key’s environment'), access.key !== null && h('option', { value: 'forget' }, 'Use another key…'));
	const options = known.map((it, at) => h('option', { value: it.environment, selected: it.environment === access.environment }, `${it.label} · ${it.last_job_at ? ago(it.last_job_at) : 'empty'}${at === 0 && known.length > 1 ? ' · newest' : ''}`));
	fill(picker, options.length ? options : h('option', { value: '' }, 'None yet'));
}

on(picker, 'change', () => {
	if (picker.value === 'forget') {
		useKey(null);
		live.close();
		[view, shown] = [null, ''];
		paintPicker();
		ask();
	} else if (picker.value) {
		const { view: name } = route();
		access.environment = picker.value;
		history.pushState(null, '', address([name]));
		choose(picker.value);
	}
});

// Asks for the key, and stays until one is accepted.
function ask() {
	view?.close?.();
	[view, shown] = [null, 'ask'];
	const form = template('ask-key');
	fill(main, form);
	main.className = 'view-ask';
	const input = form.elements.namedItem('key');
	input.focus();
	on(form, 'submit', async (event) => {
		event.preventDefault();
		useKey(input.value.trim());
		try {
			await get('/_bulkd/status');
			await enter();
		} catch (error) {
			const { status, message } = error;
			useKey(null);
			const said = $('[role=alert]', form);
			said.hidden = false;
			said.textContent = status === 401 ? 'This key is not one of those that were named.' : message;
			input.select();
		}
	});
}

async function enter() {
	const status = await get('/_bulkd/status');
	isEmpty = status.users.received === 0 && Object.keys(status.jobs).length === 0;
	live.open();
	paintPicker();
	show();
	lookAtDoctor();
}

// These are the environments. One that is shown stays among them, also if it was reset, or is too old for the list.
function take(items) {
	const shownNow = access.environment;
	const now = find(shownNow);
	known = items;
	if (shownNow && !items.some((it) => it.environment === shownNow)) known = [...items, { environment: shownNow, label: now?.label ?? shownNow, created_at: 0, last_job_at: null }];
}

// Looks which environments there are, and goes to the newest where none is shown.
async function look() {
	const found = await get('/_bulkd/environments');
	needsKey = found.needs_key;
	if (needsKey) return;
	const before = JSON.stringify(known.map((it) => [it.environment, it.last_job_at]));
	take(found.items);
	if (before !== JSON.stringify(known.map((it) => [it.environment, it.last_job_at])) && document.activeElement !== picker) paintPicker();
	const now = find(access.environment);
	if (isEmpty && now?.last_job_at) filled();
	else if (!now && !access.environment && known.length) choose(known[0].environment);
}

function filled() {
	isEmpty = false;
	if (shown === 'start') {
		const { view: name } = route();
		if (name === 'outbox' || name === 'jobs') show();
	}
}

async function watchEnvironments() {
	for (;;) {
		const isEager = isEmpty || !access.environment;
		await new Promise((resolve) => setTimeout(resolve, isEager ? EAGER : CALM));
		if (document.hidden || needsKey) continue;
		await look().catch(() => {});
	}
}

// What the doctor has found, beside all that is shown.

const mark = $('#doctor');
let isLooking = false;

async function lookAtDoctor() {
	if (isLooking) return;
	isLooking = true;
	const found = await get('/_bulkd/doctor').catch(() => null);
	isLooking = false;
	if (!found) return;
	const serious = found.items.filter((it) => it.level !== 'info').length;
	mark.hidden = !found.items.length;
	mark.className = `doctor ${found.worst ?? ''}`;
	mark.href = address(['bench', 'doctor']);
	mark.title = `The doctor: ${found.summary}. What passed here and would hurt at Courier.`;
	const text = serious ? counted(serious, 'finding') : counted(found.items.length, 'note');
	fill($('span', mark), text);
}

live.listen((news) => {
	if (news.findings.length || news.missed) lookAtDoctor();
	if (isEmpty && (news.made || news.jobs.size)) filled();
});

const light = $('#live');
live.onState = (state, perSecond) => {
	light.className = `live ${state}`;
	light.title = { on: 'Live: what happens is shown as it happens', off: 'Not connected: bulkd does not answer', paused: 'Paused while the tab is hidden' }[state];
	fill($('b', light), perSecond ? `${count(perSecond)}/s` : '');
};

let prefix = -Infinity;
const PLACES = { o: ['outbox'], j: ['jobs'], t: ['templates'], c: ['compose'], b: ['bench'], d: ['bench', 'doctor'] };

function help() {
	const dialog = template('keys');
	document.body.append(dialog);
	on(dialog, 'close', () => dialog.remove());
	dialog.showModal();
}

// The list that keys move in.
const list = () => {
	const focused = document.activeElement?.closest('bulkd-rows');
	const seen = [...main.querySelectorAll('bulkd-rows')].filter((it) => it.offsetParent);
	return focused ?? seen[0];
};

on(document, 'keydown', (event) => {
	const { target } = event;
	if (event.ctrlKey || event.metaKey || event.altKey || $('dialog[open]')) return;
	const isWriting = target.matches('input:not([type=checkbox]):not([type=radio]), textarea, select');
	if (event.key === 'Escape') {
		if (isWriting) target.blur();
		else if (view?.back?.()) event.preventDefault();
		return;
	}
	if (isWriting) return;
	if (performance.now() - prefix < 1200 && PLACES[event.key]) {
		prefix = -Infinity;
		event.preventDefault();
		go(PLACES[event.key]);
		return;
	}
	const keys = {
		j: () => list()?.step(1),
		k: () => list()?.step(-1),
		g: () => {
			prefix = performance.now();
		},
		'?': help,
		'/': () => {
			const field = $('input[type=search]', main);
			if (field?.offsetParent) field.select();
			else {
				go(['outbox']);
				requestAnimationFrame(() => $('input[type=search]', main)?.select());
			}
		},
	};
	if (event.key === 'Enter' && target.matches('body, main')) {
		event.preventDefault();
		list()?.emit('open', true);
		return;
	}
	const act = keys[event.key];
	if (!act) return;
	event.preventDefault();
	act();
});

on($('#help'), 'click', help);
on($('#skip'), 'click', () => main.focus());
on(window, 'hashchange', show);
on(document, 'visibilitychange', () => {
	if (!document.hidden && !needsKey) look().catch(() => {});
});
onRefused(() => {
	if (needsKey && shown !== 'ask') {
		useKey(null);
		ask();
	}
});
// Files are dropped where they are wanted, and open nothing elsewhere.
for (const name of ['dragover', 'drop']) window.addEventListener(name, (event) => event.preventDefault());

async function begin() {
	try {
		const found = await get('/_bulkd/environments');
		needsKey = found.needs_key;
		known = found.items;
		if (needsKey) {
			access.key = rememberedKey();
			paintPicker();
			if (access.key === null) ask();
			else await enter();
			return;
		}
		const asked = route().params.get('env');
		if (asked && !find(asked)) {
			access.environment = asked;
			if (await get('/_bulkd/status').catch(() => null)) take(known);
			else toast('That environment has nothing any more', 'bad');
		}
		choose((find(asked) ?? known[0])?.environment ?? null);
	} catch (error) {
		fill(main, h('div.empty', icon('none'), h('p.empty-title', 'bulkd does not answer'), h('p', error.message), add(h('button.primary', { onclick: () => location.reload() }), ['Try again'])));
	}
}

attempt(begin).then(watchEnvironments);
