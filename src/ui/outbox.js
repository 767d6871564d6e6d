// The outbox: a list beside a message.

import { go, route } from './app.js';
import { get } from './api.js';
import { copy, empty, fill, h, icon, on, options, paced } from './dom.js';
import { live } from './live.js';
import { openMessage } from './message.js';
import { rows } from './rows.js';
import { CHANNEL_NAMES, MESSAGE_STATUSES, channelWord, count, counted, exactly, providerWord, reasonWord, statusKind, statusMeaning, statusWord, when } from './words.js';

const FILTERS = ['channel', 'status', 'provider', 'recipient', 'job_id'];
const ASKED = ['q', ...FILTERS];
const PAGE = 100;
// From here on a message stands beside the list.
const WIDE = matchMedia('(min-width: 1100px)');
// Words of a search that name a filter.
const WORDS = { channel: 'channel', status: 'status', provider: 'provider', recipient: 'recipient', to: 'recipient', job: 'job_id', job_id: 'job_id' };

// Entries of one message are one row.
function group(entries) {
	const items = [];
	for (const entry of entries) {
		const last = items.at(-1);
		if (last?.message_id === entry.message_id) last?.entries.push(entry);
		else items.push({ message_id: entry.message_id, entries: [entry] });
	}
	return items;
}

export function pill(status, reason) {
	return h(`span.pill.${statusKind(status)}`, { title: [statusMeaning(status), reasonWord(reason)].filter(Boolean).join(': ') }, statusWord(status));
}

export function summary(entry) {
	if (!entry.channel) return entry.error ?? reasonWord(entry.reason) ?? statusMeaning(entry.status);
	const text = (entry.body ?? '').replace(/\s+/g, ' ').trim();
	return entry.subject ? [h('b', entry.subject), text && ` — ${text.slice(0, 160)}`] : text.slice(0, 200);
}

export function open(root, first) {
	let [items, cursor, looked, unseen, key, opened, pane] = [[], null, 0, 0, '', '', null];
	let [isWhole, isLoading, isByKey] = [false, false, false];
	let stopping = new AbortController();

	const list = rows('outbox-list', 'Messages', 54, (index) => row(items[index]));
	const field = h('input', { type: 'search', placeholder: 'Search', label: 'Search subject, body, address and recipient', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search' });
	const chips = h('div.chips');
	const state = h('p.state', { role: 'status' });
	const fresh = h('button.fresh', { hidden: true, onclick: () => {
		load();
		list.scrollTop = 0;
	} });
	const nothing = h('div.over', { hidden: true });
	const reading = h('section.pane', { label: 'Message' });
	const split = h('div.split',
		h('section.list', { label: 'Outbox' },
			h('h1.sr', 'Outbox'),
			h('div.search', icon('search'), field, h('kbd', { 'aria-hidden': 'true' }, '/')), chips,
			h('div.list-body', fresh, list, nothing), state),
		reading);
	fill(root, split);

	function row(item) {
		const [entry] = item.entries;
		const status = entry.status;
		const icons = item.entries.map((it) => icon(it.channel ?? 'none', `${channelWord(it.channel)}${it.provider ? ` by ${providerWord(it.provider)}` : ''}`));
		return [
			h(`span.chan.${entry.channel ?? 'none'}`, icons[0], icons.length > 1 && h('small', `+${icons.length - 1}`)),
			h('span.who', entry.recipient),
			h('time', { datetime: new Date(entry.created_at).toISOString(), title: exactly(entry.created_at) }, when(entry.created_at)),
			h('span.what', summary(entry)),
			status !== 'SENT' && pill(status, entry.reason),
		];
	}

	const ask = (more, signal) => {
		const { params } = route();
		const query = Object.fromEntries(ASKED.map((name) => [name, params.get(name)]));
		return get('/_bulkd/outbox', { ...query, order: 'desc', limit: PAGE, fields: 'message_id,job_id,recipient,channel,provider,address,status,reason,error,subject,body,created_at', ...more }, signal);
	};

	async function load() {
		stopping.abort();
		stopping = new AbortController();
		const { signal } = stopping;
		[cursor, isWhole, looked, unseen] = [null, false, 0, 0];
		paintFresh();
		split.classList.add('loading');
		let found = [];
		let isFirst = true;
		try {
			do {
				const page = await ask({ cursor }, signal);
				found = found.concat(group(page.items));
				looked++;
				cursor = page.paging.cursor ?? null;
				isWhole = !page.paging.more;
				if (isFirst || found.length !== items.length) {
					items = found;
					isFirst = false;
					list.at = items.findIndex((it) => it.message_id === opened);
					list.resize(items.length);
				}
				paint();
			} while (found.length < 30 && !isWhole);
		} catch (error) {
			if (error.name === 'AbortError') return;
			if (error.status !== 404) fill(state, error.message);
			[items, isWhole] = [[], true];
			list.resize(0);
			paint();
		}
		split.classList.remove('loading');
	}

	// The next page, as soon as its end is near.
	async function more() {
		if (isLoading || isWhole || !cursor) return;
		isLoading = true;
		const { signal } = stopping;
		try {
			const page = await ask({ cursor }, signal);
			items.push(...group(page.items));
			cursor = page.paging.cursor ?? null;
			isWhole = !page.paging.more;
			list.resize(items.length);
			paint();
		} catch {
			// Scrolling on asks again.
		}
		isLoading = false;
	}

	// What has come since the newest that is shown.
	const pull = paced(250, async () => {
		if (!items.length) return load();
		const { signal } = stopping;
		const page = await ask({ after: items[0].message_id }, signal).catch(() => null);
		if (!page || signal.aborted) return;
		const found = group(page.items);
		const isAtTop = list.offset < 8;
		if (page.paging.more) {
			// Too many to put before the others one by one.
			if (isAtTop && !opened) load();
			else {
				unseen = Infinity;
				paintFresh();
			}
			return;
		}
		if (!found.length) return;
		items.unshift(...found);
		if (isAtTop && !opened) {
			list.count = items.length;
			list.refresh();
		} else {
			list.unshift(found.length);
			unseen += found.length;
		}
		paintFresh();
		paint();
	});

	function paintFresh() {
		fresh.hidden = !unseen;
		fill(fresh, icon('up'), unseen === Infinity ? 'Many new messages' : counted(unseen, 'new message'));
	}

	function paint() {
		const { params } = route();
		const isFiltered = ASKED.some((name) => params.get(name));
		const isNothing = !items.length && isWhole;
		nothing.hidden = !isNothing;
		if (isNothing) fill(nothing, empty(isFiltered ? 'Nothing is like that' : 'The outbox is empty', isFiltered && h('button', { onclick: () => go(['outbox']) }, 'Show all')));
		const searched = params.get('q') && !isWhole && items.length < 30 ? `, ${count(looked * 200_000)} looked through…` : '';
		fill(state, isNothing ? '' : `${isWhole ? '' : 'The newest '}${counted(items.length, 'message')}${searched}`);
	}

	function paintChips() {
		const { params } = route();
		const set = (name, value) => {
			const next = new URLSearchParams(params);
			if (value) next.set(name, value);
			else next.delete(name);
			go(['outbox'], next);
		};
		const select = (name, label, list) => {
			const chosen = params.get(name) ?? '';
			return h(`select.chip.${chosen ? 'set' : ''}`, { label, onchange: (event) => set(name, event.target.value) }, options([['', label], ...list], chosen));
		};
		fill(chips,
			select('channel', 'Any channel', CHANNEL_NAMES.map((name) => [name, channelWord(name)])),
			select('status', 'Any outcome', MESSAGE_STATUSES.map((name) => [name, statusWord(name)])),
			FILTERS.slice(2).filter((name) => params.get(name)).map((name) => h('button.chip.set', { title: 'Remove this filter', onclick: () => set(name, '') },
				`${name === 'job_id' ? 'job' : name}: ${name === 'job_id' ? `…${params.get(name)?.slice(-6)}` : params.get(name)}`, icon('x'))));
	}

	// What was typed: words, and filters among them.
	const search = paced(90, () => {
		const { params } = route();
		const next = new URLSearchParams(params);
		const words = [];
		for (const word of field.value.split(/\s+/)) {
			const [, name, value] = /^(\w+):(\S+)$/.exec(word) ?? [];
			if (name && WORDS[name]) next.set(WORDS[name], name === 'status' ? value.toUpperCase() : value);
			else words.push(word);
		}
		if (words.length !== field.value.split(/\s+/).length) field.value = words.join(' ');
		const q = words.join(' ').trim();
		if (q) next.set('q', q);
		else next.delete('q');
		go(['outbox', opened], next, true);
	});
	on(field, 'input', () => {
		// A filter is whole when something follows it.
		if (!/\b(\w+):\S*$/.test(field.value) || !WORDS[/(\w+):\S*$/.exec(field.value)?.[1] ?? '']) search();
	});
	on(field, 'keydown', (event) => {
		if (event.key !== 'Enter' && event.key !== 'ArrowDown') return;
		event.preventDefault();
		search();
		list.focus();
		if (list.at < 0) list.choose(0);
	});

	on(list, 'drawn', (event) => {
		if (event.detail.last > items.length - 20) more();
		if (list.offset < 8 && unseen && unseen !== Infinity) {
			unseen = 0;
			paintFresh();
		}
	});
	const follow = paced(60, () => {
		const item = items[list.at];
		if (item) go(['outbox', item.message_id], route().params, true);
	});
	on(list, 'move', () => {
		if (WIDE.matches) follow();
	});
	on(list, 'open', (event) => {
		const item = items[list.at];
		if (!item) return;
		// Who opens it by a key reads on by keys.
		const isThere = opened === item.message_id;
		isByKey = event.detail.isKey;
		go(['outbox', item.message_id], route().params);
		if (isThere && isByKey) reading.querySelector('article')?.focus();
	});

	const silence = live.listen((news) => {
		if (news.missed) load();
		else if (news.made) pull();
		if (!news.changed.size) return;
		for (const item of items) {
			const status = news.changed.get(item.message_id);
			if (status) for (const entry of item.entries) entry.status = status;
		}
		list.later();
		if (news.changed.has(opened)) pane?.refresh();
	});

	function update(to) {
		const { params } = to;
		const wanted = JSON.stringify(ASKED.map((name) => params.get(name)));
		if (wanted !== key) {
			key = wanted;
			if (document.activeElement !== field) field.value = params.get('q') ?? '';
			paintChips();
			load();
		}
		if (to.id !== opened) {
			opened = to.id;
			pane?.close();
			pane = opened ? openMessage(reading, opened, { back: () => back(), focus: isByKey }) : null;
			isByKey = false;
			if (!pane) blank();
			list.at = items.findIndex((it) => it.message_id === opened);
			if (list.at >= 0) list.reveal(list.at);
			list.draw();
		}
		split.classList.toggle('open', !!opened);
	}

	function blank() {
		fill(reading, empty('Choose a message', h('p', h('kbd', 'j'), ' ', h('kbd', 'k'), ' move, ', h('kbd', '/'), ' searches, ', h('kbd', '?'), ' lists all keys')));
	}

	function back() {
		follow.stop();
		const { id, params } = route();
		const { activeElement, body } = document;
		if (id) {
			// Who reads beside the list goes back to it first.
			if (!WIDE.matches || activeElement === body || list.contains(activeElement)) go(['outbox'], params);
			list.focus();
			return true;
		}
		const isFiltered = ASKED.some((name) => params.get(name));
		if (isFiltered) go(['outbox']);
		return isFiltered;
	}

	blank();
	update(first);
	return {
		update,
		back,
		close() {
			silence();
			pull.stop();
			stopping.abort();
			pane?.close();
		},
	};
}

export const idWithCopy = (id, label) => h('span.id', h('code', id), copy(id, `Copy the ${label}`));
