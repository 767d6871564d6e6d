// The bench: what a test can ask of bulkd besides Courier's API, by hand.

import { address, go } from './app.js';
import { access, del, get, headers, part, post, put, queryOf } from './api.js';
import { attempt, button, copy, empty, fill, h, icon, json, on, options, paced } from './dom.js';
import { live } from './live.js';
import { rows } from './rows.js';
import { count, counted, exactly, size, sum, when } from './words.js';

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
	const names = h('nav.side', { label: 'Bench' });
	const place = h('section.pane', { label: 'Bench' });
	let [shown, opened] = ['', null];
	fill(root, h('div.two', names, place));
	function update(to) {
		const name = PARTS[to.id] ? to.id : 'doctor';
		fill(names, h('h1.sr', 'Bench'), Object.entries(PARTS).map(([it, [word]]) => h('a', { href: address(['bench', it]), 'aria-current': it === name ? 'page' : false }, word)));
		if (name === shown) return;
		opened?.close?.();
		shown = name;
		const page = h('div.page');
		fill(place, page);
		opened = PARTS[name][1](page);
	}
	update(first);
	return { update, close: () => opened?.close?.() };
}

const top = (title, about, ...more) => [h('header.page-top', h('h2', title), h('span.grow'), ...more), h('p.lead', about)];

function doctor(root) {
	const list = h('div');
	fill(root, top('Doctor', 'What passed here, and would hurt at Courier.'), list);
	const load = paced(300, async () => {
		const found = await attempt(() => get('/_bulkd/doctor'));
		if (!found) return;
		const levels = { error: 'Would fail', warn: 'Would hurt', info: 'To know' };
		fill(list, found.items.length ? found.items.map((it) => h(`article.finding.${it.level}`,
			h('header', h(`span.pill.${it.level}`, levels[it.level]), h('h3', it.title), h('span.dim', counted(it.count, 'time'), ` · last ${when(it.last_at)}`)),
			h('p', h('b', 'Why: '), it.why), h('p', h('b', 'Do: '), it.advice),
			it.seen.map((example) => h('p.seen-at', h('code', example.request ?? '—'), ' ', example.what)),
			it.page && h('p', h('a', { href: it.page, target: '_blank', rel: 'noopener noreferrer' }, 'Courier’s page'))))
			: empty('Nothing was found', h('p', 'What ran here so far would run at Courier, as far as the doctor can tell.')));
	});
	load();
	return watch(load, 'findings');
}

function journal(root) {
	let [items, q, unmatched, opened] = [[], '', false, null];
	const list = rows('journal', 'Requests', 34, (at) => row(items[at]));
	const detail = h('div.journal-one');
	const field = h('input', { type: 'search', placeholder: 'Path, query or body', label: 'Search requests' });
	const har = h('button', 'HAR');
	fill(root, top('Journal', 'The last 1,000 requests to Courier’s routes, the newest first.', field, h('label.check', h('input', { type: 'checkbox', onchange: (event) => {
		unmatched = event.target.checked;
		load();
	} }), 'Unknown routes'), har), h('div.list-body.card.tall', list), detail);
	root.classList.add('full');
	function row(it) {
		const kind = !it.status ? 'bad' : it.status < 300 ? 'good' : it.status < 500 ? 'wait' : 'bad';
		return [h(`span.pill.${kind}`, it.status ?? 'no answer'), h('b.verb', it.method), h('code.what', it.path + (it.query ? `?${it.query}` : '')),
			it.fault && h('span.pill.bad', it.fault.name ?? it.fault.fault_id), it.retry_count > 0 && h('span.pill.wait', `retry ${it.retry_count}`), it.replayed && h('span.pill.calm', 'replayed'),
			h('span.dim', it.sdk?.name ?? it.sdk ?? ''), h('span.num', `${it.taken_ms} ms`), h('time', { title: exactly(it.at) }, exactly(it.at).slice(11, 19))];
	}
	const load = paced(250, async () => {
		const page = await attempt(() => get('/_bulkd/requests', { q, unmatched: unmatched || null, limit: 1000 }));
		items = page?.items ?? [];
		list.at = items.findIndex((it) => it.number === opened);
		list.resize(items.length);
	});
	const show = () => {
		const it = items[list.at];
		opened = it?.number;
		fill(detail, it && [h('h3', `${it.method} ${it.path}`), json(it, 'Request')]);
	};
	on(list, 'move', show);
	on(list, 'open', show);
	on(field, 'input', () => {
		q = field.value;
		load();
	});
	on(har, 'click', () => download('/_bulkd/requests', 'bulkd.har', { format: 'har' }));
	load();
	return watch(load, 'requests');
}

async function download(path, name, query) {
	await attempt(async () => {
		const answer = await fetch(path + queryOf(query), { headers: headers() });
		if (!answer.ok) throw new Error((await answer.json()).message);
		const url = URL.createObjectURL(await answer.blob());
		h('a', { href: url, download: name }).click();
		setTimeout(() => URL.revokeObjectURL(url), 10_000);
	});
}

// A form of named fields. What is a number is given on as one, and what is empty is not.
function form(fields, button, submit) {
	const it = h('form.row-form', fields.map(([name, label, props]) => h('label', label, Array.isArray(props)
		? h('select', { name }, options(props))
		: h('input', { name, ...props }))), h('button.primary', { type: 'submit' }, button));
	on(it, 'submit', (event) => {
		event.preventDefault();
		submit(Object.fromEntries([...it.elements].filter(({ name, value }) => name && value).map(({ name, type, value }) => [name, type === 'number' ? Number(value) : value])));
	});
	return it;
}

const number = (value, min = 1) => ({ type: 'number', min, value });

// Looks again when something of these kinds has happened.
const watch = (load, ...kinds) => ({ close: live.listen((news) => (news.missed || kinds.some((kind) => news[kind].length)) && load()) });

const remove = (label, work, then) => h('button.quiet', { label, onclick: () => attempt(work).then(then) }, icon('x'));

const items = (found, none, item) => (found?.items.length ? h('ul.items', found.items.map(item)) : h('p.dim', none));

function faults(root) {
	const list = h('div');
	const load = paced(150, async () => {
		const found = await attempt(() => get('/_bulkd/faults'));
		fill(list, items(found, 'No fault is set.', (it) => h(it.fired ? 'li.fired' : 'li',
			h('div', h('b', it.name ?? it.preset ?? it.answer ?? it.status ?? it.fault_id), h('code', ` ${it.method ?? 'any'} ${it.path}`)),
			h(`span.pill.${it.fired ? 'bad' : 'calm'}`, { title: 'Requests that matched, and those that were hit' }, it.fired ? `hit ${count(it.fired)} of ${count(it.seen)}` : `seen ${count(it.seen)}, none hit`),
			h('span.dim', it.left === null ? 'for all that come' : `${count(it.left ?? 0)} to go`),
			remove('Remove the fault', () => del(`/_bulkd/faults/${part(it.fault_id)}`), load))));
	});
	const set = (body) => attempt(() => post('/_bulkd/faults', body), 'The fault is set').then(load);
	fill(root, top('Faults', 'A request that fails in a way that was asked for: before its work, after its commit, or on the way to the client.', button('Remove all', () => del('/_bulkd/faults'), 'All faults are gone', load)),
		h('div.presets', Object.entries(PRESETS).map(([name, about]) => h('button.preset', { onclick: () => set({ preset: name }) }, h('b', name), h('span', about)))),
		h('h3', 'Of your own'),
		form([['method', 'Method', [['', 'any'], ['POST'], ['GET'], ['PUT'], ['PATCH'], ['DELETE']]], ['path', 'Path', { value: '/bulk/{job_id}', required: true }], ['call', 'From call', number(1)], ['times', 'Times', number(1)],
			['what', 'What', [['lost', 'answer lost'], ['cut', 'answer cut'], ['reset'], ['503'], ['500'], ['429']]], ['when', 'When', [['', 'as usual'], ['before'], ['after']]], ['delay_ms', 'Late by ms', number(undefined, 0)]], 'Set',
		({ what, ...values }) => set({ ...values, ...(/\d/.test(what) ? { status: Number(what) } : { answer: what }) })),
		h('h3', 'Set now'), list);
	load();
	return watch(load, 'faults', 'requests');
}

function clock(root) {
	const shown = h('p.clock');
	const led = h('p.dim');
	let stopped = false;
	const load = async () => {
		try {
			const it = await get('/_bulkd/clock');
			fill(shown, exactly(it.now).slice(0, 19), h('span.dim', it.frozen ? ' stands still' : ' runs'));
		} catch (error) {
			stopped = true;
			fill(shown, h('span.dim', error.message));
		}
	};
	const move = (work) => attempt(work).then((it) => {
		if (it?.advanced_ms !== undefined) fill(led, `${counted(it.delayed_sent, 'waiting message')} went out, ${counted(it.webhooks_posted, 'event')} posted, ${counted(it.keys_expired, 'key')} expired${it.settled ? '' : '; something was still due'}`);
		return load();
	});
	const advance = (values) => move(() => post('/_bulkd/clock/advance', values));
	fill(root, top('Clock', 'The time that delays, retries, keys and retention go by. bulkd --test-clock lets it be moved, forward only.'), shown,
		h('div.acts', ['1m', '10m', '1h', '1d', '7d'].map((by) => h('button', { onclick: () => advance({ by }) }, `+ ${by}`)),
			[['Stop', true], ['Run', false]].map(([word, frozen]) => h('button', { onclick: () => move(() => put('/_bulkd/clock', { frozen })) }, word))),
		form([['by', 'Forward by', { placeholder: '1h30m', required: true }]], 'Advance', advance), led);
	load();
	const timer = setInterval(() => !stopped && !document.hidden && load(), 1000);
	return { close: () => clearInterval(timer) };
}

function lifecycle(root) {
	const now = h('div');
	const load = async () => {
		const it = await attempt(() => get('/_bulkd/lifecycle'));
		if (!it) return;
		const say = (mode) => `${mode.mode}${mode.per_second ? `, ${mode.per_second} a second` : ''}${mode.polls ? `, look ${mode.polls}` : ''}`;
		fill(now, h('p', 'Jobs of this environment: ', h('b', say(it)), h('span.dim', ` — ${MODES[it.mode] ?? ''}`)), it.jobs.map((job) => h('p', h('code', job.job_id), ` ${say(job)}`)));
	};
	fill(root, top('Life cycle', 'How jobs go on once they are run, for a test that wants to watch one.'), now,
		form([['mode', 'Mode', Object.entries(MODES).map(([name, about]) => [name, `${name} — ${about}`])], ['per_second', 'Users a second', number()], ['polls', 'Looks', number()], ['job_id', 'Only this job', { placeholder: 'all' }]], 'Set', (values) => attempt(() => put('/_bulkd/lifecycle', values), 'It holds from now on').then(load)),
		h('h3', 'Step'),
		form([['job_id', 'Job in mode manual', { required: true }], ['users', 'Users', number(1)]], 'Let them go on', (values) => attempt(() => post('/_bulkd/step', values), 'They had their turn')));
	load();
}

function snapshots(root) {
	const list = h('div');
	const load = async () => {
		const found = await attempt(() => get('/_bulkd/snapshots'));
		const at = (name, more = '') => `/_bulkd/snapshots/${part(name)}${more}`;
		fill(list, items(found, 'No snapshot was taken.', (it) => h('li',
			h('div', h('b', it.name), h('span.dim', ` ${exactly(it.created_at).slice(0, 19)} · ${counted(it.jobs, 'job')}, ${counted(it.messages, 'message')}, ${size(it.bytes)}`)),
			h('button', { onclick: () => confirm(`Bring the environment back to ‘${it.name}’? What came later goes.`) && attempt(() => post(at(it.name, '/restore')), 'It is back') }, 'Restore'),
			h('button', { onclick: () => {
				const key = prompt('API key of the new environment');
				if (key) attempt(() => post(at(it.name, '/fork'), { key }), 'There is a copy under that key');
			} }, 'Fork'),
			h('button', { onclick: () => download(at(it.name), `${it.name}.db`) }, 'File'),
			remove('Delete the snapshot', () => del(at(it.name)), load))));
	};
	fill(root, top('Snapshots', 'The environment as it is now, to come back to. They are of the process; a file lasts.'), form([['name', 'Name', { required: true, value: 'before' }]], 'Take', ({ name }) => attempt(() => put(`/_bulkd/snapshots/${part(name)}`), 'It is taken').then(load)), list);
	load();
}

function environment(root) {
	const numbers = h('p');
	fill(root, top('Environment', 'What an API key opens. Nothing crosses from one to another.'), numbers,
		access.environment && h('p', 'Its handle, which stands in addresses: ', h('code', access.environment), copy(access.environment, 'Copy the handle'), h('span.dim', ' It tells nothing of the key.')),
		h('h3', 'Reset'), h('p.dim', 'Jobs, messages, templates, brands, profiles, lists and webhooks of this environment go, and it is seeded anew. There is no way back but a snapshot.'),
		h('button.danger', { onclick: () => confirm('Reset this environment? All that it has goes.') && attempt(() => post('/_bulkd/reset'), 'It is as new').then(() => go(['outbox'])) }, 'Reset the environment'));
	attempt(() => get('/_bulkd/status')).then((it) => it && fill(numbers, `${counted(sum(Object.values(it.jobs)), 'job')}, ${counted(it.users.received, 'user')}, ${counted(it.users.enqueued, 'message')}, ${counted(it.users.failures, 'failure')} · bulkd ${it.version}`));
}
