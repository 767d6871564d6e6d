// Jobs: a list, and one of them opened with its users, any of a million of whom is as near as another.

import { address, go, route } from './app.js';
import { get, part, post } from './api.js';
import { attempt, button, choice, empty, fill, h, icon, json, on, options, paced, s } from './dom.js';
import { live } from './live.js';
import { openMessage } from './message.js';
import { idWithCopy, pill } from './outbox.js';
import { Pages, rows } from './rows.js';
import { ago, channelWord, count, counted, exactly, reasonWord, short, span, statusKind, statusMeaning, statusWord, sum, when } from './words.js';

const PAGE = 100;
const pendingOf = (job) => job.received - job.enqueued - job.failures;

// Points of the curve of a run.
const POINTS = 240;

function progress(job) {
	const done = job.enqueued + job.failures;
	return h('div.progress', { role: 'progressbar', label: 'Users who had their turn', 'aria-valuemin': 0, 'aria-valuemax': job.received, 'aria-valuenow': done },
		[['done', done], ['failed', job.failures]].map(([name, n]) => h(`i.${name}`, { style: { width: `${(n / Math.max(1, job.received)) * 100}%` } })));
}

function titleOf(definition) {
	const it = definition?.message ?? definition ?? {};
	return definition?.event ?? it.template ?? it.event ?? it.content?.title ?? it.content?.elements?.find((e) => e.type === 'meta')?.title ?? 'A job';
}

export function open(root, first) {
	let view = null;
	let shown = null;
	const update = (to) => {
		if (to.id !== shown) {
			view?.close();
			shown = to.id;
			root.replaceChildren();
			view = to.id ? one(root, to) : list(root);
		} else view.update?.(to);
	};
	update(first);
	return { update, close: () => view?.close(), back: () => view?.back?.() };
}

// Where the list was left.
let left = { at: -1, offset: 0 };

function list(root) {
	let [items, cursor, isWhole, status, kind, isLoading] = [[], null, false, '', 'BULK', false];
	const jobs = rows('job-list', 'Jobs', 58, (index) => row(items[index]));
	const over = h('div.over', { hidden: true });
	const all = h('span.dim');
	fill(root, h('div.page',
		h('header.page-top', h('h1', 'Jobs'), all, h('span.grow'),
			h('select.chip', { label: 'Status', onchange: (event) => {
				status = event.target.value;
				load();
			} }, options([['', 'Any status'], ...['PROCESSING', 'CREATED', 'COMPLETED', 'ERROR'].map((it) => [it, statusWord(it)])])),
			choice('Kind', [['BULK', 'Bulk jobs'], ['SEND', 'Sends'], ['', 'All']], kind, (name) => {
				kind = name;
				load();
			})),
		h('div.list-body.card', jobs, over)));

	function row(job) {
		return [
			h('span.chan', icon(job.kind === 'SEND' ? 'email' : 'jobs')),
			h('code.who', job.job_id), pill(job.status),
			h('time', { title: exactly(job.created_at) }, when(job.created_at)),
			h('span.what', `${job.kind === 'SEND' ? 'Send' : 'Bulk'} · ${counted(job.received, 'user')}`, job.failures ? h('b.bad', ` · ${count(job.failures)} failed`) : '', job.rate ? ` · ${short(job.rate)} users/s` : '', job.error ? ` · ${job.error}` : ''),
			job.status === 'PROCESSING' && progress(job),
		];
	}
	async function page(more) {
		if (isLoading) return;
		isLoading = true;
		let some = [];
		if (!more) cursor = null;
		// Among many sends there may be few jobs.
		for (let looks = 0; looks < 20 && some.length < 30; looks++) {
			const found = await attempt(() => get('/_bulkd/jobs', { status, limit: 10 * PAGE, cursor }));
			some = some.concat((found?.items ?? []).filter((it) => !kind || it.kind === kind));
			[cursor, isWhole] = [found?.paging?.cursor ?? null, !found?.paging?.more];
			if (isWhole) break;
		}
		isLoading = false;
		items = more ? items.concat(some) : some;
		jobs.resize(items.length);
		over.hidden = items.length > 0;
		fill(over, empty('No jobs', h('p', 'A bulk job or a send shows here as soon as it is created. ', h('a', { href: address(['compose']) }, 'Compose one'))));
	}
	async function load() {
		await page(false);
		const held = await get('/_bulkd/status').catch(() => null);
		if (held) fill(all, `${counted(sum(Object.values(held.jobs)), 'job and send', 'jobs and sends')}, ${counted(held.users.received, 'user')}`);
	}
	const refresh = paced(400, load);
	const silence = live.listen((news) => {
		let isNew = news.missed;
		for (const [id, job] of news.jobs) {
			const known = items.find((it) => it.job_id === id);
			if (known) Object.assign(known, job);
			else isNew = true;
		}
		if (isNew && jobs.offset < 8) refresh();
		else if (news.jobs.size) jobs.later();
	});
	on(jobs, 'drawn', (event) => {
		if (event.detail.last > items.length - 20 && !isWhole && items.length) page(true);
	});
	on(jobs, 'open', () => {
		left = { at: jobs.at, offset: jobs.offset };
		go(['jobs', items[jobs.at].job_id]);
	});
	load().then(() => {
		if (left.at < 0) return;
		jobs.at = Math.min(left.at, items.length - 1);
		jobs.offset = left.offset;
		jobs.draw();
		jobs.focus();
	});
	return {
		close() {
			silence();
			refresh.stop();
		},
	};
}

function one(root, first) {
	const jobId = first.id;
	let [job, name, which, total, opened, pane] = [null, null, first.params.get('users') ?? '', 0, '', null];
	const points = [];
	const head = h('div.job-head');
	const told = h('div.job-told');
	const users = rows('job-users', 'Users', 34, (index) => row(pages.get(index), index));
	const pages = new Pages(PAGE, async (at, limit) => {
		const found = await get(`/_bulkd/jobs/${part(jobId)}/users`, { at, limit, status: which });
		if (found.total !== total) grow(found.total);
		return found.items;
	}, () => {
		users.later();
		if (isDue) openAt(false);
	});
	// Whether a user is to be opened who is not known yet.
	let isDue = false;
	pages.wanted = (page) => {
		const from = Math.floor(users.offset / users.height);
		return Math.abs(page * PAGE - from) < 3 * PAGE;
	};
	const over = h('div.over', { hidden: true });
	const place = h('input.place', { type: 'number', min: 1, label: 'Go to the user with this number', placeholder: 'Go to #' });
	on(place, 'keydown', (event) => {
		if (event.key !== 'Enter') return;
		users.choose(Number(place.value) - 1, true);
		users.offset = (Number(place.value) - 1) * users.height;
		users.focus();
	});
	const tabs = h('div.bar');
	const reading = h('section.pane', { label: 'Message' });
	const split = h('div.split.job',
		h('section.list', { label: 'Job' }, head, h('div.users', tabs, h('div.list-body', users, over))), reading);
	fill(root, split);

	function row(it, index) {
		if (!it) return h('span.what.dim', `#${count(index + 1)} …`);
		const message = it.message;
		const status = message?.status ?? it.status;
		return [
			h('span.num', count(it.at + 1)), h('span.who', it.recipient),
			message?.channel ? icon(message.channel, channelWord(message.channel)) : icon('none'),
			pill(status, message?.reason),
			h('span.what', it.error ?? message?.error ?? (message ? (message.subject ?? message.address) : JSON.stringify(it.user))),
		];
	}
	function grow(to) {
		total = to;
		users.resize(total);
		over.hidden = total > 0;
		fill(over, empty(which === 'ERROR' ? 'Nobody failed' : which === 'PENDING' ? 'Nobody waits' : 'No users yet'));
	}
	function sizes() {
		return which === 'ERROR' ? job.failures : which === 'PENDING' ? pendingOf(job) : job.received;
	}
	function paintTabs() {
		fill(tabs, choice('Users', [['', `All ${count(job.received)}`], ['ERROR', `Failed ${count(job.failures)}`], ['PENDING', `Pending ${count(pendingOf(job))}`]], which, (name) => {
			which = name;
			pages.clear();
			users.offset = 0;
			users.at = -1;
			grow(sizes());
		}), h('span.grow'), place);
	}
	function number(value, word, meaning, kind = '') {
		return h(`div.number.${kind}`, { title: meaning }, h('b', value), h('span', word));
	}
	// The pace of a run, as far as it was watched.
	function curve() {
		if (points.length < 3) return null;
		const [from, to] = [points[0], points.at(-1)];
		const rates = points.slice(1).map(([at, n], i) => (n - points[i][1]) / Math.max(0.001, (at - points[i][0]) / 1000));
		const most = Math.max(...rates, 1);
		const d = rates.map((rate, i) => `${i ? 'L' : 'M'}${((points[i + 1][0] - from[0]) / Math.max(1, to[0] - from[0])) * 300},${39 - (rate / most) * 36}`).join('');
		const svg = s('svg', { viewBox: '0 0 300 40', preserveAspectRatio: 'none', class: 'curve', role: 'img', 'aria-label': `Users a second, at most ${count(Math.round(most))}` }, s('path', { d: `${d}V40H0Z`, class: 'area' }), s('path', { d }));
		return h('figure', svg, h('figcaption', `at most ${short(Math.round(most))} users/s`));
	}
	function paint() {
		const took = job.run_at && (job.completed_at ?? Date.now()) - job.run_at;
		fill(head,
			h('div.job-title', h('button.quiet', { label: 'Back to the jobs', onclick: () => go(['jobs']) }, icon('back')),
				h('h1', name), pill(job.status), h('span.grow'),
				job.status === 'CREATED' && button([icon('play'), 'Run'], () => post(`/bulk/${part(jobId)}/run`), 'It runs', load, '.primary')),
			h('p.dim', idWithCopy(jobId, 'job’s id'), ` created ${ago(job.created_at)}`, took ? `, ran for ${span(took)}` : ''),
			job.error && h('p.verdict.bad', job.error),
			progress(job),
			h('div.numbers',
				number(count(job.received), 'received', 'Users that were added to the job'),
				number(count(job.enqueued), 'enqueued', 'Users whose message is in the outbox, sent or not'),
				number(count(job.failures), 'failed', 'Users for whom no message could be made', job.failures ? 'bad' : ''),
				number(count(sum((job.messages ?? []).filter((it) => statusKind(it.status) === 'bad').map((it) => it.count))), 'did not go out', 'Of those that were enqueued: no address, opted out, or refused'),
				number(count(pendingOf(job)), 'pending', 'Users whose turn is yet to come'),
				job.rate ? number(short(job.rate), 'users a second', 'Over the whole run') : null, curve()),
			told);
		paintTabs();
	}
	function paintTold() {
		const kinds = [
			...(job.messages ?? []).map((it) => ({ ...it, href: address(['outbox'], { job_id: jobId, status: it.status, channel: it.channel }), word: it.channel ? `${channelWord(it.channel)}, ${it.reason ? reasonWord(it.reason) : statusWord(it.status).toLowerCase()}` : `${statusWord(it.status)}${it.reason ? `: ${reasonWord(it.reason)}` : ''}` })),
			...(job.errors ?? []).map((it) => ({ ...it, status: 'ERROR', word: it.error })),
		].sort((a, b) => b.count - a.count);
		const most = Math.max(1, ...kinds.map((it) => it.count));
		fill(told, kinds.length > 0 && h('section.became',
			h('h2', 'What became of them', job.counted < job.enqueued && h('span.dim', ` of the first ${count(job.counted)}`)),
			h('ul', kinds.map((it) => h(`li.${statusKind(it.status)}`,
				h(it.href ? 'a' : 'button', it.href ? { href: it.href } : { type: 'button', onclick: () => tabs.querySelectorAll('.choice button')[1].click() },
					icon(it.channel ?? 'none'), h('span.became-word', { title: it.error ?? statusMeaning(it.status) }, it.word), h('i', { style: { width: `${(it.count / most) * 100}%` } }), h('b', count(it.count))))))),
		h('details.section', h('summary', h('h3', 'Definition')), json(job.definition, 'Definition')));
	}
	async function load() {
		const found = await attempt(() => get(`/_bulkd/jobs/${part(jobId)}`));
		if (!found) return fill(head, empty('There is no such job', h('a', { href: address(['jobs']) }, 'All jobs')));
		const isFirst = !job;
		job = found;
		const of = titleOf(job.definition);
		name ??= of.startsWith('nt_') ? await get(`/notifications/${part(of)}`).then((it) => it.name, () => of) : of;
		paint();
		paintTold();
		pages.renew();
		if (isFirst || sizes() !== total) grow(sizes());
		else users.later();
	}
	const reload = paced(1500, load);
	const recount = paced(4000, load);
	const move = paced(100, () => {
		paint();
		users.later();
	});
	const silence = live.listen((news) => {
		const it = news.jobs.get(jobId);
		if (news.missed) reload();
		if (!it || !job) return;
		Object.assign(job, it);
		const now = performance.now();
		// What came late comes together, and was no faster for that.
		if (points.length > 1 && now - points.at(-2)[0] < 250) points.pop();
		points.push([now, job.enqueued + job.failures]);
		if (points.length > POINTS) points.splice(1, 1);
		if (job.received !== total && !which) grow(job.received);
		move();
		if (job.status !== 'PROCESSING') reload();
		else recount();
		pages.renew((items) => items.some((user) => user.status === 'PENDING'));
	});
	const openAt = (replace) => {
		const it = pages.get(users.at);
		isDue = !it;
		if (it?.message_id) go(['jobs', jobId, it.message_id], route().params, replace);
	};
	const follow = paced(80, () => openAt(true));
	on(users, 'move', () => {
		if (opened) follow();
	});
	on(users, 'open', () => openAt(false));

	function update(to) {
		if (to.sub === opened) return;
		opened = to.sub;
		pane?.close();
		pane = opened ? openMessage(reading, opened, { back }) : null;
		split.classList.toggle('open', !!opened);
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
			reload.stop();
			recount.stop();
			move.stop();
			pane?.close();
		},
	};
}

