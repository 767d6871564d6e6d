// The bench: what a test can ask of bulkd besides Courier's API, by hand.

import { address, go } from './app.js';
import { access, del, download, get, part, post, put } from './api.js';
import { attempt, button, copy, empty, fill, h, icon, json, options, paced, time, top, two } from './dom.js';
import { live } from './live.js';
import { Feed, rows } from './rows.js';
import { count, counted, exactly, second, size, sum, when } from './words.js';

const PARTS = {
	doctor: ['Doctor', doctor], journal: ['Journal', journal], faults: ['Faults', faults], clock: ['Clock', clock],
	lifecycle: ['Life cycle', lifecycle], snapshots: ['Snapshots', snapshots], environment: ['Environment', environment],
};

const PRESETS = {
	'lost-answer': 'The next POST is committed, and its answer is lost', 'rate-limited': 'The next request is answered 429',
	'slow-ingest': 'The next call of users is answered after five seconds', 'oversize-502': 'Calls of 5,000 users and more are answered 502',
	flaky: 'One request in ten is answered 503',
};
const MODES = {
	instant: 'As fast as may be', paced: 'So many users in a second', manual: 'As many users as a step lets go on', hold: 'None goes on', polls: 'At once, and shown as completed only to the look of this number',
};

export function open(root, first) {
	const [names, place] = two(root, 'Bench', 'Bench');
	let [shown, opened] = ['', null];
	function update(to) {
		const name = PARTS[to.id] ? to.id : 'doctor';
		fill(names, h('h1.sr', 'Bench'), Object.entries(PARTS).map(([it, [word]]) => h('a', { href: address(['bench', it]), 'aria-current': it === name && 'page' }, word)));
		if (name === shown) return;
		opened?.close();
		shown = name;
		const page = h('div.page');
		fill(place, page);
		opened = PARTS[name][1](page);
	}
	update(first);
	return { update, close: () => opened.close() };
}

// Looks something up and shows it, now and when something of these kinds has happened.
function looked(path, show, ...kinds) {
	const load = paced(250, async () => {
		const found = await attempt(() => get(path));
		if (found) show(found, load);
	});
	load();
	const silence = live.listen((news) => (news.missed || kinds.some((kind) => news.kinds.has(kind))) && load());
	return { load, close: () => (silence(), load.stop()) };
}

function doctor(root) {
	const list = h('div');
	const levels = { error: 'Would fail', warn: 'Would hurt', info: 'To know' };
	fill(root, top('Doctor', 'What passed here, and would hurt at Courier.'), list);
	return looked('/_bulkd/doctor', ({ items }) => fill(list, items.map((it) => h(`article.finding.${it.level}`,
		h('header', h(`span.pill.${it.level}`, levels[it.level]), h('h3', it.title), h('span.dim', counted(it.count, 'time'), ` · last ${when(it.last_at)}`)),
		h('p', h('b', 'Why: '), it.why), h('p', h('b', 'Do: '), it.advice),
		it.seen.map((example) => h('p.seen-at', h('code', example.request ?? '—'), ' ', example.what)),
		it.page && h('p', h('a', { href: it.page, target: '_blank', rel: 'noopener noreferrer' }, 'Courier’s page')))),
	!items.length && empty('Nothing was found', h('p', 'What ran here so far would run at Courier, as far as the doctor can tell.'))), 'doctor');
}

function journal(root) {
	const asked = { q: '', unmatched: null };
	let opened = 0;
	const show = () => {
		const it = feed.items[list.at];
		opened = it?.number;
		fill(detail, it && [h('h3', `${it.method} ${it.path}`), json(it, 'Request')]);
	};
	const list = rows('journal', 'Requests', 34, (at) => row(feed.items[at]), { move: show, open: show });
	const feed = new Feed(list, (query, signal) => get('/_bulkd/requests', { ...asked, limit: 1000, ...query }, signal), { isOpen: (it) => it.number === opened });
	const ask = (name, value) => {
		asked[name] = value;
		feed.restart();
	};
	const detail = h('div.journal-one');
	fill(root, top('Journal', 'The last 1,000 requests to Courier’s routes, the newest first.',
		h('input', { type: 'search', placeholder: 'Path, query or body', label: 'Search requests', oninput: (event) => ask('q', event.target.value) }),
		h('label.check', h('input', { type: 'checkbox', onchange: (event) => ask('unmatched', event.target.checked || null) }), 'Unknown routes'),
		button('HAR', () => download('/_bulkd/requests?format=har', 'bulkd.har'))), h('div.list-body.card.tall', list), detail);
	root.classList.add('full');
	function row(it) {
		const kind = !it.status || it.status >= 500 ? 'bad' : it.status < 300 ? 'good' : 'wait';
		return [h(`span.pill.${kind}`, it.status ?? 'no answer'), h('b.verb', it.method), h('code.what', it.path + (it.query ? `?${it.query}` : '')),
			it.fault && h('span.pill.bad', it.fault.name ?? it.fault.fault_id), it.retry_count > 0 && h('span.pill.wait', `retry ${it.retry_count}`), it.replayed && h('span.pill.calm', 'replayed'),
			h('span.dim', it.sdk?.name ?? it.sdk), h('span.num', `${it.taken_ms} ms`), time(it.at, second(it.at))];
	}
	const renew = paced(250, () => feed.renew());
	const silence = live.listen((news) => (news.missed || news.kinds.has('request')) && renew());
	feed.restart();
	return {
		close() {
			silence();
			renew.stop();
			feed.close();
		},
	};
}

// A form of named fields. What is a number is given on as one, and what is empty is not.
const form = (fields, button, submit) => h('form.row-form', { onsubmit: (event) => {
	event.preventDefault();
	submit(Object.fromEntries([...event.target.elements].filter(({ name, value }) => name && value).map(({ name, type, value }) => [name, type === 'number' ? Number(value) : value])));
} }, fields.map(([name, label, props]) => h('label', label, Array.isArray(props) ? h('select', { name }, options(props)) : h('input', { name, ...props }))), h('button.primary', { type: 'submit' }, button));

const number = (value, min = 1) => ({ type: 'number', min, value });

const remove = (label, path, then) => button(icon('x'), () => del(path), '', then, '.quiet', { label });

const items = (found, none, item) => (found.items.length ? h('ul.items', found.items.map(item)) : h('p.dim', none));

function faults(root) {
	const list = h('div');
	const path = '/_bulkd/faults';
	const { load, close } = looked(path, (found) => fill(list, items(found, 'No fault is set.', (it) => h(it.fired ? 'li.fired' : 'li',
		h('div', h('b', it.name ?? it.preset ?? it.answer ?? it.status ?? it.fault_id), h('code', ` ${it.method ?? 'any'} ${it.path}`)),
		h(`span.pill.${it.fired ? 'bad' : 'calm'}`, { title: 'Requests that matched, and those that were hit' }, it.fired ? `hit ${count(it.fired)} of ${count(it.seen)}` : `seen ${count(it.seen)}, none hit`),
		h('span.dim', it.left === null ? 'for all that come' : `${count(it.left ?? 0)} to go`),
		remove('Remove the fault', `${path}/${part(it.fault_id)}`, load)))), 'fault', 'request');
	const set = (body) => attempt(() => post(path, body), 'The fault is set').then(load);
	fill(root, top('Faults', 'A request that fails in a way that was asked for: before its work, after its commit, or on the way to the client.', button('Remove all', () => del(path), 'All faults are gone', load)),
		h('h3', 'Set now'), list,
		h('h3', 'Set one'),
		h('div.presets', Object.entries(PRESETS).map(([name, about]) => h('button.preset', { onclick: () => set({ preset: name }) }, h('b', name), h('span', about)))),
		h('h3', 'Of your own'),
		form([['method', 'Method', [['', 'any'], ['POST'], ['GET'], ['PUT'], ['PATCH'], ['DELETE']]], ['path', 'Path', { value: '/bulk/{job_id}', required: true }], ['call', 'From call', number(1)], ['times', 'Times', number(1)],
			['what', 'What', [['lost', 'answer lost'], ['cut', 'answer cut'], ['reset'], ['503'], ['500'], ['429']]], ['when', 'When', [['', 'as usual'], ['before'], ['after']]], ['delay_ms', 'Late by ms', number(undefined, 0)]], 'Set',
		({ what, ...values }) => set({ ...values, ...(/\d/.test(what) ? { status: Number(what) } : { answer: what }) })));
	return { close };
}

function clock(root) {
	const [shown, led] = [h('p.clock'), h('p.dim')];
	let timer = 0;
	const load = paced(0, async () => {
		try {
			const it = await get('/_bulkd/clock');
			fill(shown, exactly(it.now).slice(0, 19), h('span.dim', it.frozen ? ' stands still' : ' runs'));
		} catch (error) {
			clearInterval(timer);
			fill(shown, h('span.dim', error.message));
		}
	});
	const move = (work) => attempt(work).then((it) => {
		if (it?.advanced_ms !== undefined) fill(led, `${counted(it.delayed_sent, 'waiting message')} went out, ${counted(it.webhooks_posted, 'event')} posted, ${counted(it.keys_expired, 'key')} expired${it.settled ? '' : '; something was still due'}`);
		load();
	});
	const advance = (values) => move(() => post('/_bulkd/clock/advance', values));
	fill(root, top('Clock', 'The time that delays, retries, keys and retention go by. bulkd --test-clock lets it be moved, forward only.'), shown,
		h('div.acts', ['1m', '10m', '1h', '1d', '7d'].map((by) => button(`+ ${by}`, () => advance({ by }))),
			[['Stop', true], ['Run', false]].map(([word, frozen]) => button(word, () => move(() => put('/_bulkd/clock', { frozen }))))),
		form([['by', 'Forward by', { placeholder: '1h30m', required: true }]], 'Advance', advance), led);
	load();
	timer = setInterval(() => !document.hidden && load(), 1000);
	return { close: () => clearInterval(timer) };
}

function lifecycle(root) {
	const now = h('div');
	const path = '/_bulkd/lifecycle';
	const say = (mode) => `${mode.mode}${mode.per_second ? `, ${mode.per_second} a second` : ''}${mode.polls ? `, look ${mode.polls}` : ''}`;
	const { load, close } = looked(path, (it) => fill(now, h('p', 'Jobs of this environment: ', h('b', say(it)), h('span.dim', ` — ${MODES[it.mode] ?? ''}`)), it.jobs.map((job) => h('p', h('code', job.job_id), ` ${say(job)}`))));
	fill(root, top('Life cycle', 'How jobs go on once they are run, for a test that wants to watch one.'), now,
		form([['mode', 'Mode', Object.entries(MODES).map(([name, about]) => [name, `${name} — ${about}`])], ['per_second', 'Users a second', number()], ['polls', 'Looks', number()], ['job_id', 'Only this job', { placeholder: 'all' }]], 'Set', (values) => attempt(() => put(path, values), 'It holds from now on').then(load)),
		h('h3', 'Step'),
		form([['job_id', 'Job in mode manual', { required: true }], ['users', 'Users', number(1)]], 'Let them go on', (values) => attempt(() => post('/_bulkd/step', values), 'They had their turn')));
	return { close };
}

function snapshots(root) {
	const list = h('div');
	const at = (name, more = '') => `/_bulkd/snapshots/${part(name)}${more}`;
	const { load, close } = looked('/_bulkd/snapshots', (found) => fill(list, items(found, 'No snapshot was taken.', ({ name, ...it }) => h('li',
		h('div', h('b', name), h('span.dim', ` ${exactly(it.created_at).slice(0, 19)} · ${counted(it.jobs, 'job')}, ${counted(it.messages, 'message')}, ${size(it.bytes)}`)),
		h('button', { onclick: () => confirm(`Bring the environment back to ‘${name}’? What came later goes.`) && attempt(() => post(at(name, '/restore')), 'It is back') }, 'Restore'),
		h('button', { onclick: () => {
			const key = prompt('API key of the new environment');
			if (key) attempt(() => post(at(name, '/fork'), { key }), 'There is a copy under that key');
		} }, 'Fork'),
		button('File', () => download(at(name), `${name}.db`)),
		remove('Delete the snapshot', at(name), load)))));
	fill(root, top('Snapshots', 'The environment as it is now, to come back to. They are of the process; a file lasts.'), form([['name', 'Name', { required: true, value: 'before' }]], 'Take', ({ name }) => attempt(() => put(at(name)), 'It is taken').then(load)), list);
	return { close };
}

function environment(root) {
	const numbers = h('p');
	fill(root, top('Environment', 'What an API key opens. Nothing crosses from one to another.'), numbers,
		access.environment && h('p', 'Its handle, which stands in addresses: ', h('code', access.environment), copy(access.environment, 'Copy the handle'), h('span.dim', ' It tells nothing of the key.')),
		h('h3', 'Reset'), h('p.dim', 'Jobs, messages, templates, brands, profiles, lists and webhooks of this environment go, and it is seeded anew. There is no way back but a snapshot.'),
		h('button.danger', { onclick: () => confirm('Reset this environment? All that it has goes.') && attempt(() => post('/_bulkd/reset'), 'It is as new').then(() => go(['outbox'])) }, 'Reset the environment'));
	return looked('/_bulkd/status', ({ jobs, users, version }) => fill(numbers, `${counted(sum(Object.values(jobs)), 'job')}, ${counted(users.received, 'user')}, ${counted(users.enqueued, 'message')}, ${counted(users.failures, 'failure')} · bulkd ${version}`));
}
