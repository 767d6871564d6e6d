// The bench: what a test can ask of bulkd besides Courier's API, by hand.

import { address, go } from './app.js';
import { del, get, part, post, put, valueOf } from './api.js';
import { attempt, button, dim, empty, fill, grow, h, json, link, on, options, paced, section, sideLink, tag, time, top, two, capital, count, counted, exactly, second, when } from './dom.js';
import { listen } from './live.js';
import { Feed, rows } from './rows.js';

// Each gives what is shown, and what stands beside its title.
const PARTS = {
	doctor: ['Doctor', 'What passed here, and would hurt at Courier.', doctor],
	journal: ['Journal', 'The last 1,000 requests to Courier’s routes.', journal],
	faults: ['Faults', 'Requests that fail before their work, after it, or on the way back.', faults],
	clock: ['Clock', 'What delays, retries, keys and retention go by.', clock],
	lifecycle: ['Life cycle', 'How jobs that run are processed.', lifecycle],
	snapshots: ['Snapshots', 'States of the environment to come back to while bulkd runs.', snapshots],
	environment: ['Environment', 'What an API key opens.', environment],
};

const PRESETS = {
	'lost-answer': 'The next POST is committed, and its answer is lost', 'rate-limited': 'The next request is answered 429',
	'slow-ingest': 'The next call of users takes five seconds', 'oversize-502': 'Calls of 5,000 users and more are answered 502',
	flaky: 'One request in ten is answered 503',
};
const MODES = {
	instant: 'As fast as possible', paced: 'So many users a second', manual: 'By steps of so many users', hold: 'Stays as it is', polls: 'Completed once its status was asked for so often',
};
const LEVELS = { error: 'Would fail', warn: 'Would hurt', info: 'To know' };

export function open(root, { id }) {
	const chosen = PARTS[id] ? id : 'doctor';
	const [, place] = two(root, 'Bench', Object.entries(PARTS).map(([it, [word]]) => sideLink(address(['bench', it]), it === chosen, word)));
	const [page, [title, about, make]] = [h('.page'), PARTS[chosen]];
	const [content, ...more] = make(page);
	fill(place, fill(page, top(title, about, more), content));
	return { update: (to) => (PARTS[to.id] ? to.id : 'doctor') === chosen };
}

// Shows what is looked up, now and when something of these kinds happens.
function looked(root, path, show, ...kinds) {
	const load = paced(250, async () => {
		const found = await attempt(() => get(path));
		if (found) show(found);
	});
	load();
	listen(root, (news) => (news.missed || kinds.some((kind) => news.kinds.has(kind))) && load());
	return load;
}

// A form of named fields. Numbers are given as such, and what is empty is not.
const form = (fields, shown, submit) => h('form.row-form', { onsubmit: (event) => {
	event.preventDefault();
	const given = [...event.target.elements].filter(({ name, value, disabled }) => name && value && !disabled);
	submit(Object.fromEntries(given.map(({ name, type, value }) => [name, type === 'number' ? Number(value) : value])));
} }, fields.map(([name, label, props]) => h('label', label, Array.isArray(props) ? h('select', { name }, options(props)) : h('input', { name, ...props }))), h('button.primary', { type: 'submit' }, shown));

const number = (value, min = 1) => ({ type: 'number', min, value });

const remove = (label, path, then) => button('×', () => del(path), '', then, '.quiet', { label });

const sure = (shown, question, work, done, then = null, kind = '') => button(shown, () => (confirm(question) ? attempt(work, done).then(then) : null), '', null, kind);

const items = ({ items }, none, item) => (items.length ? h('ul.items', items.map(item)) : h('p.dim', none));

const JOB = /(?<=job |\/bulk\/|"jobId":")(1-[\da-f-]+)/;

const finding = ({ level, title, count, last_at: at, why, advice, seen, page }) => h(`article.finding.${level}`,
	h('header', tag(level, LEVELS[level]), h('h3', title), dim(counted(count, 'time'), ` · last ${when(at)}`)),
	h('p', h('b', 'Why: '), why), h('p', h('b', 'Do: '), advice),
	Object.entries(Object.groupBy(seen, (it) => it.request ?? '')).map(([request, of]) => h('p.dim', of.some((it) => !it.what.includes(request)) && h('code', request), of.map(({ what }) => h('div', what.split(JOB).map((it, at) => (at % 2 ? link(address(['jobs', it]), it) : it)))))),
	page && h('p', h('a', { href: page, target: '_blank', rel: 'noopener noreferrer' }, 'Courier’s page')));

function doctor(root) {
	const list = h('div');
	looked(root, '/_bulkd/doctor?limit=1000', ({ items }) => fill(list, items.length ? [items.map(finding), h('p', 'Everything else that passed here would be accepted.')]
		: empty('Nothing was found', h('p', 'All that passed here would be accepted.'))), 'doctor', 'job');
	return [list];
}

const requestRow = ({ status, method, path, query, fault, retry_count: retries, replayed, sdk, taken_ms: taken, at }) => [
	tag(!status || status >= 500 ? 'bad' : status < 300 ? 'good' : 'wait', status ?? 'no answer'), h('b.verb', method), h('code.what', path + (query ? `?${query}` : '')),
	fault && tag('bad', fault.name ?? fault.fault_id), retries > 0 && tag('wait', `retry ${retries}`), replayed && tag('calm', 'replayed'),
	dim(Object.values(sdk ?? {}).join(' ')), h('span.num', `${taken} ms`), time(at, second(at)),
];

const readable = (it) => it && { ...it, body: valueOf(it.body) };

function journal(root) {
	let [q, opened] = ['', 0];
	const show = () => {
		const { chosen } = list;
		opened = chosen?.number;
		fill(detail, chosen && section(`${chosen.method} ${chosen.path}`, json({ ...chosen, request: readable(chosen.request), response: readable(chosen.response) }, 'Request')));
	};
	const list = rows(Feed, 'journal', 'Requests', 34, {
		row: requestRow, move: show, open: show,
		ask: (query, signal) => get('/_bulkd/requests', { q, limit: 1000, ...query }, signal),
		isOpen: (it) => it.number === opened,
	});
	const ask = (words) => {
		q = words;
		list.restart();
	};
	const detail = h('.journal-one');
	root.classList.add('full');
	const renew = paced(250, () => list.renew());
	listen(list, (news) => (news.missed || news.kinds.has('request')) && renew());
	list.restart();
	return [[h('.list-body.card', list), detail], grow(), h('input', { type: 'search', placeholder: 'Path, query or body', label: 'Search requests', oninput: ({ target }) => ask(target.value) })];
}

function faults(root) {
	const [list, path] = [h('div'), '/_bulkd/faults'];
	const fault = ({ fired, seen, left, ...it }) => h(fired ? 'li.fired' : 'li',
		h('div', h('b', it.name ?? it.preset ?? it.answer ?? it.status ?? it.fault_id), h('code', ` ${it.method ?? 'any'} ${it.path}`)),
		tag(fired ? 'bad' : 'calm', fired ? `hit ${count(fired)} of ${count(seen)}` : `seen ${count(seen)}, none hit`),
		dim(left === null ? 'for all that come' : `${count(left)} to go`),
		remove('Remove the fault', `${path}/${part(it.fault_id)}`, load));
	const load = looked(root, path, (found) => fill(list, items(found, 'No fault is set.', fault)), 'fault', 'request');
	const set = (body) => attempt(() => post(path, body), 'Fault set').then(load);
	return [[
		section('Set one', h('.presets', Object.entries(PRESETS).map(([preset, about]) => h('button.preset', { onclick: () => set({ preset }) }, h('b', preset), h('span', about)))),
			form([['method', 'Method', [['', 'any'], 'POST', 'GET', 'PUT', 'DELETE']], ['path', 'Path', { value: '/bulk/{job_id}', required: true }], ['status', 'Status', number(503, 400)], ['call', 'From call', number(1)]], 'Set', set)),
		section('Set now', list),
	], grow(), button('Remove all', () => del(path), 'Faults removed', load)];
}

function clock(root) {
	const [shown, controls, led, path] = [h('p'), h('fieldset', { disabled: true }), h('p.dim'), '/_bulkd/clock'];
	const load = paced(0, async () => {
		try {
			const { now, frozen } = await get(path);
			fill(shown, h('span.clock', exactly(now).slice(0, 19), dim(frozen ? ' stands still' : ' runs')));
			controls.disabled = false;
		} catch (error) {
			clearInterval(timer);
			fill(shown, capital(error.message));
			controls.disabled = true;
		}
	});
	const move = (work) => attempt(work).then((it) => {
		if (it?.advanced_ms !== undefined) fill(led, `${counted(it.delayed_sent, 'waiting message')} went out, ${counted(it.webhooks_posted, 'event')} posted, ${counted(it.keys_expired, 'key')} expired${it.settled ? '' : '; something was still due'}`);
		load();
	});
	load();
	const timer = setInterval(() => {
		if (!root.isConnected) clearInterval(timer);
		else if (!document.hidden) load();
	}, 1000);
	fill(controls, h('.acts', [['Stop', true], ['Run', false]].map(([word, frozen]) => button(word, () => move(() => put(path, { frozen }))))),
		form([['by', 'Forward by', { value: '1h30m', required: true }]], 'Advance', (values) => move(() => post(`${path}/advance`, values))));
	return [[shown, controls, led]];
}

function lifecycle(root) {
	const [now, path, needed] = [h('div'), '/_bulkd/lifecycle', { ...number(), required: true }];
	const say = ({ mode, per_second: pace, polls }) => `${mode}${pace ? `, ${pace} a second` : ''}${polls ? `, ${counted(polls, 'poll')}` : ''}`;
	const load = looked(root, path, (it) => fill(now, h('p', 'Jobs of this environment: ', h('b', say(it)), dim(` — ${MODES[it.mode] ?? ''}`)), it.jobs.map((job) => h('p', h('code', job.job_id), ` ${say(job)}`))));
	const setting = form([['mode', 'Mode', Object.entries(MODES).map(([name, about]) => [name, `${name} — ${about}`])], ['per_second', 'Users a second', needed], ['polls', 'Polls', needed], ['job_id', 'Only this job', { placeholder: 'all' }]], 'Set',
		(values) => attempt(() => put(path, values), 'Life cycle set').then(load));
	const { mode, per_second: pace, polls } = setting.elements;
	// What another mode goes by is neither shown nor sent.
	const fit = () => [[pace, 'paced'], [polls, 'polls']].forEach(([it, of]) => (it.disabled = it.parentElement.hidden = mode.value !== of));
	on(mode, 'change', fit);
	fit();
	return [[now, setting,
		section('Step', form([['job_id', 'Job in mode manual', { required: true }], ['users', 'Users', number(1)]], 'Step', (values) => attempt(() => post('/_bulkd/step', values), 'Step done')))]];
}

function snapshots(root) {
	const list = h('div');
	const at = (name, more = '') => `/_bulkd/snapshots/${part(name)}${more}`;
	const load = looked(root, '/_bulkd/snapshots', (found) => fill(list, items(found, 'No snapshot was taken.', ({ name, created_at: taken, jobs, messages }) => h('li',
		h('div', h('b', name), dim(` ${exactly(taken).slice(0, 19)} · ${counted(jobs, 'job')}, ${counted(messages, 'message')}`)),
		sure('Restore', `Bring the environment back to ‘${name}’? What came later goes.`, () => post(at(name, '/restore')), 'Snapshot restored'),
		remove('Delete the snapshot', at(name), load)))));
	return [[form([['name', 'Name', { required: true, value: 'before' }]], 'Take', ({ name }) => attempt(() => put(at(name)), 'Snapshot taken').then(load)), list]];
}

function environment() {
	return [section('Reset', h('p.dim', 'Deletes all that the environment has, and seeds it anew. Only a snapshot brings it back.'),
			sure('Reset the environment', 'Reset this environment?', () => post('/_bulkd/reset'), 'Environment reset', () => go(['outbox']), '.danger'))];
}
