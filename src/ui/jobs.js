// Jobs: a list, and one of them with its users, of whom there may be a million.

import { address, go, route } from './app.js';
import { get, part, post } from './api.js';
import { attempt, button, choice, closer, dim, empty, fill, grow, h, icon, idWithCopy, json, link, paced, pill, time, top, ago, channelWord, NOT_SENT, count, counted, reasonWord, span, statusKind, statusMeaning, statusWord, sum, when } from './dom.js';
import { listen } from './live.js';
import { reader } from './message.js';
import { Feed, Pages, rows } from './rows.js';

// How far a job is, on a bar of its own or one that there is.
function progress({ received, enqueued, failures }, bar = h('.progress', { role: 'progressbar', label: 'Users who had their turn' }, h('i'), h('i.failed'))) {
	const done = enqueued + failures;
	Object.assign(bar, { ariaValueMin: '0', ariaValueMax: String(received), ariaValueNow: String(done) });
	[done, failures].forEach((n, at) => (bar.children[at].style.width = `${(n / Math.max(1, received)) * 100}%`));
	return bar;
}

export const open = (root, to) => (to.id ? one(root, to) : list(root));

let left = { id: '', offset: 0 };

function jobRow(job) {
	const { kind, job_id: id, status, created_at: at, received, failures, rate, error } = job;
	const isSend = kind === 'SEND';
	return [
		h('span.chan', icon(isSend ? 'email' : 'jobs')), h('code.who', id), pill(status), time(at, when(at)),
		h('span.what', `${isSend ? 'Send' : 'Bulk'} · ${counted(received, 'user')}`, failures > 0 && h('b.bad', ` · ${count(failures)} failed`), rate > 0 && ` · ${count(rate)} users/s`, error && ` · ${error}`),
		status === 'PROCESSING' && progress(job),
	];
}

function list(root) {
	const state = { kind: 'BULK' };
	const jobs = rows(Feed, 'job-list', 'Jobs', 58, {
		row: jobRow,
		move: () => (left.id = jobs.chosen.job_id),
		open() {
			left = { id: jobs.chosen.job_id, offset: jobs.offset };
			go(['jobs', left.id]);
		},
		ask: (query, signal) => get('/_bulkd/jobs', { limit: 1000, ...query }, signal),
		join: (items, entries) => items.concat(entries.filter((it) => !state.kind || it.kind === state.kind)),
		isOpen: (it) => it.job_id === left.id,
		// Among many sends there may be few jobs.
		patience: 20,
		told() {
			over.hidden = jobs.items.length > 0 || jobs.isOld;
			fill(over, empty(jobs.error || 'No jobs', h('p', 'A job shows here as soon as it is created. ', link(address(['compose']), 'Compose one'))));
		},
	});
	const over = h('.over');
	fill(root, h('.page',
		top('Jobs', '', grow(),
			choice(state, 'kind', 'Kind', [['BULK', 'Bulk jobs'], ['SEND', 'Sends'], ['', 'All']], () => jobs.restart())),
		h('.list-body.card', jobs, over)));
	const renew = paced(400, () => jobs.renew());
	listen(jobs, (news) => {
		let isNew = news.missed;
		for (const [id, job] of news.jobs) {
			const known = jobs.items.find((it) => it.job_id === id);
			if (known) Object.assign(known, job);
			else isNew = true;
		}
		if (isNew && jobs.isAtTop) renew();
		else if (news.jobs.size) jobs.later();
	});
	jobs.restart().then(() => {
		if (!left.id) return;
		jobs.offset = left.offset;
		jobs.focus();
	});
	return { update: ({ id }) => !id };
}

function titleOf(definition) {
	const it = definition?.message ?? definition ?? {};
	return definition?.event ?? it.template ?? it.event ?? it.content?.title ?? it.content?.elements?.find((e) => e.type === 'meta')?.title ?? 'A job';
}

const sizes = ({ received, enqueued, failures }) => ({ '': received, ERROR: failures, PENDING: received - enqueued - failures });

function userRow(it, index) {
	if (!it) return h('span.what.dim', `#${count(index + 1)} …`);
	const { message } = it;
	return [
		h('span.num', count(it.at + 1)), h('span.who', it.recipient), icon(message?.channel ?? 'none', message?.channel && channelWord(message.channel)),
		pill(message?.status ?? it.status, message?.reason),
		h('span.what', it.error ?? message?.error ?? (message ? (message.subject ?? message.address) : JSON.stringify(it.user))),
	];
}

const number = (name, props, size, word) => h(name, props, h('b', count(size)), h('span', word));

function numbers(job) {
	return [
		[job.received, 'received', 'Users of the job'],
		[job.enqueued, 'enqueued', 'Users with a message in the outbox'],
		[job.failures, 'failed', 'Users without a message', job.failures ? 'bad' : ''],
		[sizes(job).PENDING, 'pending', 'Users still to come'],
		...(job.rate ? [[job.rate, 'users a second', 'Over the whole run']] : []),
	].map(([value, word, title, kind = '']) => number(`.number.${kind}`, { title }, value, word));
}

const outboxOf = (job, { status, channel = null }) => address(['outbox'], { job_id: job.job_id, status, channel });

// How many messages did not go out, by status, and the way to them.
const lost = (job) => NOT_SENT.map((status) => {
	const size = sum((job?.messages ?? []).filter((it) => it.status === status).map((it) => it.count));
	return size > 0 && number(`a.number.${statusKind(status)}`, { title: `Did not go out. ${statusMeaning(status)}`, href: outboxOf(job, { status }) }, size, `${statusWord(status)} ›`);
}).filter(Boolean);

function became(job, showFailed) {
	const { messages = [], errors = [] } = job;
	const kinds = [...messages, ...errors.map((it) => ({ ...it, status: 'ERROR' }))].sort((a, b) => b.count - a.count);
	const shown = ({ status, channel, reason, error, count: number }) => {
		const why = status === 'ERROR' ? error : reasonWord(reason);
		const word = `${channel ? `${channelWord(channel)}, ` : ''}${statusWord(status)}${why ? `: ${why}` : ''}`;
		return [icon(channel ?? 'none'), h('span', { title: error ?? statusMeaning(status) }, word), h('i', { style: { width: `${(number / kinds[0].count) * 100}%` } }), h('b', count(number))];
	};
	return kinds.length > 0 && h('section.became',
		h('h3', 'What became of them', job.counted < job.enqueued && dim(` of the first ${count(job.counted)}`)),
		h('ul', kinds.map((it) => h(`li.${statusKind(it.status)}`,
			it.status === 'ERROR' ? h('button', { onclick: showFailed }, shown(it)) : link(outboxOf(job, it), shown(it))))));
}

function one(root, first) {
	const jobId = first.id;
	const path = `/_bulkd/jobs/${part(jobId)}`;
	const state = { users: first.params.users ?? '' };
	// A user is to be opened who is not known yet: `isDue`.
	let [job, name, total, isDue] = [null, null, 0, false];
	const users = rows(Pages, 'job-users', 'Users', 34, {
		row: userRow,
		move: () => reading.id && follow(),
		open: () => openChosen(false),
		came: () => isDue && openChosen(false),
		async load(at, limit) {
			const found = await get(`${path}/users`, { at, limit, status: state.users });
			if (found.total !== total) grown(found.total);
			return found.items;
		},
	});
	const [title, about, counters, gone, told, over] = [h('.job-title'), h('div'), h('.numbers'), h('.numbers'), h('.job-told'), h('.over')];
	const bar = progress({ received: 0, enqueued: 0, failures: 0 });
	const place = h('input.place', { type: 'number', min: 1, label: 'Go to the user with this number', placeholder: 'Go to #', onkeydown: ({ key }) => {
		if (key !== 'Enter') return;
		const at = Number(place.value) - 1;
		users.offset = at * users.height;
		users.choose(at, true);
		users.focus();
	} });
	const tabs = choice(state, 'users', 'Users', ['', 'ERROR', 'PENDING'], () => {
		users.clear();
		grown(sizes(job)[state.users]);
	});
	const reading = reader({ close: back });
	const split = h('.split.job',
		h('section.list', { label: 'Job' }, h('.job-head', title, about, bar, h('.numbers', counters, gone), told), h('.users', h('.bar', tabs, grow(), place), h('.list-body', users, over))), reading.place);
	fill(root, split);

	function grown(to) {
		total = to;
		users.resize(total);
		over.hidden = total > 0;
		const others = state.users === 'ERROR' ? lost(job) : [];
		fill(over, empty({ ERROR: 'Nobody failed', PENDING: 'Nobody waits' }[state.users] ?? 'No users yet', others.length > 0 && [h('p', 'Their messages did not go out:'), h('.numbers', others)]));
	}
	// What moves while the job runs. Nothing that can be reached by keys is made anew.
	function paint() {
		progress(job, bar);
		fill(counters, numbers(job));
		Object.values(sizes(job)).forEach((size, at) => fill(tabs.children[at], `${['All', 'Failed', 'Pending'][at]} ${count(size)}`));
	}
	function paintTold() {
		const { status, created_at: created, run_at: begun, completed_at: ended, error } = job;
		fill(title, closer(() => go(['jobs'])), h('h2', name), pill(status), grow(), status === 'CREATED' && button('Run', () => post(`/bulk/${part(jobId)}/run`), 'Job started', load, '.primary'));
		fill(about, h('p.dim', idWithCopy(jobId, 'job’s id'), ` created ${ago(created)}`, begun && ended && `, ran for ${span(ended - begun)}`), error && h('p.verdict.bad', error));
		fill(gone, lost(job));
		fill(told, became(job, () => tabs.children[1].click()), h('details.section', h('summary', h('h3', 'Definition')), json(job.definition, 'Definition')));
	}
	const load = paced(400, async () => {
		const found = await attempt(() => get(path));
		if (!found) return job || fill(title, empty('There is no such job', link(address(['jobs']), 'All jobs')));
		const isFirst = !job;
		job = found;
		const of = titleOf(job.definition);
		name ??= of.startsWith('nt_') ? await get(`/notifications/${part(of)}`).then((it) => it.name, () => of) : of;
		paint();
		paintTold();
		users.renew();
		const size = sizes(job)[state.users];
		if (isFirst || size !== total || !size) grown(size);
	});
	const recount = paced(4000, load);
	const move = paced(100, () => {
		paint();
		users.renew((items) => items.some((user) => user.status === 'PENDING'));
	});
	listen(split, (news) => {
		const it = news.jobs.get(jobId);
		if (news.missed) load();
		if (!it || !job) return;
		const wasRunning = job.status === 'PROCESSING';
		Object.assign(job, it);
		if (job.received !== total && !state.users) grown(job.received);
		move();
		if (wasRunning && job.status === 'PROCESSING') recount();
		else load();
	});
	const openChosen = (replace) => {
		isDue = !users.chosen;
		const id = users.isConnected && users.chosen?.message_id;
		if (id) go(['jobs', jobId, id], route().params, replace);
	};
	const follow = paced(80, () => openChosen(true));

	function update({ id, sub }) {
		if (id !== jobId) return false;
		if (sub === reading.id) return true;
		reading.show(sub);
		split.classList.toggle('open', !!sub);
		users.draw();
		return true;
	}
	function back() {
		follow.stop();
		go(reading.id ? ['jobs', jobId] : ['jobs']);
		users.focus();
		return true;
	}
	load();
	update(first);
	return { update, back };
}
