// Jobs: a list, and one of them opened with its users, any of a million of whom is as near as another.

import { address, go, route } from './app.js';
import { get, part, post } from './api.js';
import { attempt, button, chosenIn, empty, fill, h, icon, idWithCopy, json, paced, pill, s, select, time } from './dom.js';
import { live } from './live.js';
import { reader } from './message.js';
import { Feed, Pages, rows } from './rows.js';
import { ago, channelWord, count, counted, reasonWord, short, span, statusKind, statusMeaning, statusWord, sum, when } from './words.js';

const PAGE = 100;
// Points of the curve of a run, and what is between them.
const POINTS = 240;
const APART = 400;

const pendingOf = (job) => job.received - job.enqueued - job.failures;

// How far a job is, on a bar of its own or one that there is.
function progress(job, bar = h('div.progress', { role: 'progressbar', label: 'Users who had their turn' }, h('i'), h('i.failed'))) {
	const done = job.enqueued + job.failures;
	Object.assign(bar, { ariaValueMin: '0', ariaValueMax: String(job.received), ariaValueNow: String(done) });
	[done, job.failures].forEach((n, at) => (bar.children[at].style.width = `${(n / Math.max(1, job.received)) * 100}%`));
	return bar;
}

function titleOf(definition) {
	const it = definition?.message ?? definition ?? {};
	return definition?.event ?? it.template ?? it.event ?? it.content?.title ?? it.content?.elements?.find((e) => e.type === 'meta')?.title ?? 'A job';
}

export function open(root, first) {
	let [view, shown] = [null, null];
	const update = (to) => {
		if (to.id === shown) return view.update?.(to);
		view?.close();
		shown = to.id;
		root.replaceChildren();
		view = to.id ? one(root, to) : list(root);
	};
	update(first);
	return { update, close: () => view.close(), back: () => view.back?.() };
}

// Where the list was left.
let left = { id: '', offset: 0 };

function list(root) {
	const state = { status: '', kind: 'BULK' };
	const jobs = rows('job-list', 'Jobs', 58, (index) => row(feed.items[index]), {
		move: () => (left.id = feed.items[jobs.at].job_id),
		open() {
			left = { id: feed.items[jobs.at].job_id, offset: jobs.offset };
			go(['jobs', left.id]);
		},
	});
	const feed = new Feed(jobs, (query, signal) => get('/_bulkd/jobs', { status: state.status, limit: 10 * PAGE, ...query }, signal), {
		join: (items, entries) => items.concat(entries.filter((it) => !state.kind || it.kind === state.kind)),
		isOpen: (it) => it.job_id === left.id,
		// Among many sends there may be few jobs.
		patience: 20,
		told() {
			over.hidden = feed.items.length > 0 || feed.isOld;
			fill(over, empty(feed.error || 'No jobs', h('p', 'A bulk job or a send shows here as soon as it is created. ', h('a', { href: address(['compose']) }, 'Compose one'))));
		},
	});
	const over = h('div.over');
	const all = h('span.dim');
	const restart = () => feed.restart();
	fill(root, h('div.page',
		h('header.page-top', h('h1', 'Jobs'), all, h('span.grow'),
			select('Status', [['', 'Any status'], ...['PROCESSING', 'CREATED', 'COMPLETED', 'ERROR'].map((it) => [it, statusWord(it)])], '', (status) => {
				state.status = status;
				restart();
			}),
			chosenIn(state, 'kind', 'Kind', [['BULK', 'Bulk jobs'], ['SEND', 'Sends'], ['', 'All']], restart)),
		h('div.list-body.card', jobs, over)));

	const row = (job) => [
		h('span.chan', icon(job.kind === 'SEND' ? 'email' : 'jobs')), h('code.who', job.job_id), pill(job.status), time(job.created_at, when(job.created_at)),
		h('span.what', `${job.kind === 'SEND' ? 'Send' : 'Bulk'} · ${counted(job.received, 'user')}`, job.failures > 0 && h('b.bad', ` · ${count(job.failures)} failed`), job.rate > 0 && ` · ${short(job.rate)} users/s`, job.error && ` · ${job.error}`),
		job.status === 'PROCESSING' && progress(job),
	];
	const tell = paced(400, async () => {
		const held = await get('/_bulkd/status').catch(() => null);
		if (held) fill(all, `${counted(sum(Object.values(held.jobs)), 'job and send', 'jobs and sends')}, ${counted(held.users.received, 'user')}`);
	});
	const renew = paced(400, () => {
		tell();
		feed.renew();
	});
	const silence = live.listen((news) => {
		let isNew = news.missed;
		for (const [id, job] of news.jobs) {
			const known = feed.items.find((it) => it.job_id === id);
			if (known) Object.assign(known, job);
			else isNew = true;
		}
		if (isNew && feed.isAtTop) renew();
		else if (news.jobs.size) jobs.later();
	});
	tell();
	restart().then(() => {
		if (!left.id) return;
		jobs.offset = left.offset;
		jobs.focus();
	});
	return {
		close() {
			silence();
			renew.stop();
			feed.close();
		},
	};
}

function one(root, first) {
	const jobId = first.id;
	const state = { users: first.params.users ?? '' };
	// `isDue`: whether a user is to be opened who is not known yet.
	let [job, name, total, isDue] = [null, null, 0, false];
	const points = [];
	const users = rows('job-users', 'Users', 34, (index) => row(pages.get(index), index), { move: () => reading.id && follow(), open: () => openAt(false) });
	const pages = new Pages(PAGE, async (at, limit) => {
		const found = await get(`/_bulkd/jobs/${part(jobId)}/users`, { at, limit, status: state.users });
		if (found.total !== total) grow(found.total);
		return found.items;
	}, () => {
		users.later();
		if (isDue) openAt(false);
	}, (page) => Math.abs(page * PAGE - users.offset / users.height) < 3 * PAGE);
	const [title, about, numbers, told, over] = [h('div.job-title'), h('div'), h('div.numbers'), h('div.job-told'), h('div.over')];
	const bar = progress({ received: 0, enqueued: 0, failures: 0 });
	const place = h('input.place', { type: 'number', min: 1, label: 'Go to the user with this number', placeholder: 'Go to #', onkeydown: (event) => {
		if (event.key !== 'Enter') return;
		users.offset = (Number(place.value) - 1) * users.height;
		users.choose(Number(place.value) - 1, true);
		users.focus();
	} });
	const tabs = chosenIn(state, 'users', 'Users', [['', ''], ['ERROR', ''], ['PENDING', '']], () => {
		pages.clear();
		Object.assign(users, { offset: 0, at: -1 });
		grow(sizes()[state.users]);
	});
	const reading = reader({ back });
	const split = h('div.split.job',
		h('section.list', { label: 'Job' }, h('div.job-head', title, about, bar, numbers, told), h('div.users', h('div.bar', tabs, h('span.grow'), place), h('div.list-body', users, over))), reading.place);
	fill(root, split);

	function row(it, index) {
		if (!it) return h('span.what.dim', `#${count(index + 1)} …`);
		const { message } = it;
		return [
			h('span.num', count(it.at + 1)), h('span.who', it.recipient), icon(message?.channel ?? 'none', message?.channel && channelWord(message.channel)),
			pill(message?.status ?? it.status, message?.reason),
			h('span.what', it.error ?? message?.error ?? (message ? (message.subject ?? message.address) : JSON.stringify(it.user))),
		];
	}
	function grow(to) {
		total = to;
		users.resize(total);
		over.hidden = total > 0;
		fill(over, empty({ ERROR: 'Nobody failed', PENDING: 'Nobody waits' }[state.users] ?? 'No users yet'));
	}
	const sizes = () => ({ '': job.received, ERROR: job.failures, PENDING: pendingOf(job) });
	// The pace of a run, as far as it was watched.
	function curve() {
		if (points.length < 3) return null;
		const [[from], [to]] = [points[0], points.at(-1)];
		const rates = points.slice(1).map(([at, n], i) => (n - points[i][1]) / Math.max(0.001, (at - points[i][0]) / 1000));
		const most = Math.max(...rates, 1);
		const d = rates.map((rate, i) => `${i ? 'L' : 'M'}${((points[i + 1][0] - from) / Math.max(1, to - from)) * 300},${39 - (rate / most) * 36}`).join('');
		return h('figure',
			s('svg', { viewBox: '0 0 300 40', preserveAspectRatio: 'none', class: 'curve', role: 'img', 'aria-label': `Users a second, at most ${count(Math.round(most))}` }, s('path', { d: `${d}V40H0Z`, class: 'area' }), s('path', { d })),
			h('figcaption', `at most ${short(Math.round(most))} users/s`));
	}
	// What moves while the job runs. Nothing that can be reached by keys is made anew.
	function paint() {
		const took = job.run_at && (job.completed_at ?? Date.now()) - job.run_at;
		const notSent = sum((job.messages ?? []).filter((it) => statusKind(it.status) === 'bad').map((it) => it.count));
		progress(job, bar);
		fill(numbers, [
			[job.received, 'received', 'Users that were added to the job'],
			[job.enqueued, 'enqueued', 'Users whose message is in the outbox, sent or not'],
			[job.failures, 'failed', 'Users for whom no message could be made', job.failures ? 'bad' : ''],
			[notSent, 'did not go out', 'Of those that were enqueued: no address, opted out, or refused'],
			[pendingOf(job), 'pending', 'Users whose turn is yet to come'],
			...(job.rate ? [[job.rate, 'users a second', took ? `Over the whole run of ${span(took)}` : '']] : []),
		].map(([value, word, meaning, kind = '']) => h(`div.number.${kind}`, { title: meaning }, h('b', word === 'users a second' ? short(value) : count(value)), h('span', word))), curve());
		Object.values(sizes()).forEach((size, at) => fill(tabs.children[at], `${['All', 'Failed', 'Pending'][at]} ${count(size)}`));
	}
	function paintTold() {
		const took = job.run_at && job.completed_at && job.completed_at - job.run_at;
		fill(title, h('button.quiet', { label: 'Back to the jobs', onclick: () => go(['jobs']) }, icon('back')), h('h1', name), pill(job.status), h('span.grow'),
			job.status === 'CREATED' && button([icon('play'), 'Run'], () => post(`/bulk/${part(jobId)}/run`), 'It runs', load, '.primary'));
		fill(about, h('p.dim', idWithCopy(jobId, 'job’s id'), ` created ${ago(job.created_at)}`, took > 0 && `, ran for ${span(took)}`), job.error && h('p.verdict.bad', job.error));
		const kinds = [
			...(job.messages ?? []).map(({ status, reason, channel, ...it }) => ({ ...it, status, channel, href: address(['outbox'], { job_id: jobId, status, channel }), word: channel ? `${channelWord(channel)}, ${reason ? reasonWord(reason) : statusWord(status).toLowerCase()}` : `${statusWord(status)}${reason ? `: ${reasonWord(reason)}` : ''}` })),
			...(job.errors ?? []).map((it) => ({ ...it, status: 'ERROR', word: it.error })),
		].sort((a, b) => b.count - a.count);
		const most = Math.max(1, ...kinds.map((it) => it.count));
		fill(told, kinds.length > 0 && h('section.became',
			h('h2', 'What became of them', job.counted < job.enqueued && h('span.dim', ` of the first ${count(job.counted)}`)),
			h('ul', kinds.map((it) => h(`li.${statusKind(it.status)}`,
				h(it.href ? 'a' : 'button', it.href ? { href: it.href } : { onclick: () => tabs.children[1].click() },
					icon(it.channel ?? 'none'), h('span.became-word', { title: it.error ?? statusMeaning(it.status) }, it.word), h('i', { style: { width: `${(it.count / most) * 100}%` } }), h('b', count(it.count))))))),
		h('details.section', h('summary', h('h3', 'Definition')), json(job.definition, 'Definition')));
	}
	const load = paced(400, async () => {
		const found = await attempt(() => get(`/_bulkd/jobs/${part(jobId)}`));
		if (!found) return job || fill(title, empty('There is no such job', h('a', { href: address(['jobs']) }, 'All jobs')));
		const isFirst = !job;
		job = found;
		const of = titleOf(job.definition);
		name ??= of.startsWith('nt_') ? await get(`/notifications/${part(of)}`).then((it) => it.name, () => of) : of;
		paint();
		paintTold();
		pages.renew();
		if (isFirst || sizes()[state.users] !== total) grow(sizes()[state.users]);
	});
	const recount = paced(4000, load);
	const move = paced(100, () => {
		paint();
		pages.renew((items) => items.some((user) => user.status === 'PENDING'));
	});
	const silence = live.listen((news) => {
		const it = news.jobs.get(jobId);
		if (news.missed) load();
		if (!it || !job) return;
		const wasRunning = job.status === 'PROCESSING';
		Object.assign(job, it);
		const now = performance.now();
		// What came late comes together, and was no faster for that.
		if (points.length > 1 && points.at(-1)[0] - points.at(-2)[0] < APART) points.pop();
		points.push([now, job.enqueued + job.failures]);
		if (points.length > POINTS) points.splice(1, 1);
		if (job.received !== total && !state.users) grow(job.received);
		move();
		if (wasRunning && job.status === 'PROCESSING') recount();
		else load();
	});
	const openAt = (replace) => {
		const it = pages.get(users.at);
		isDue = !it;
		if (it?.message_id) go(['jobs', jobId, it.message_id], route().params, replace);
	};
	const follow = paced(80, () => openAt(true));

	function update({ sub }) {
		if (sub === reading.id) return;
		reading.show(sub);
		split.classList.toggle('open', !!sub);
		users.draw();
	}
	function back() {
		follow.stop();
		// The address is ahead of what is shown where keys come fast.
		go(route().sub ? ['jobs', jobId] : ['jobs']);
		users.focus();
		return true;
	}
	load();
	update(first);
	return {
		update,
		back,
		close() {
			silence();
			for (const it of [load, recount, move, follow]) it.stop();
			reading.show('');
		},
	};
}
