// The outbox: a list beside a message.

import { go, route } from './app.js';
import { get } from './api.js';
import { empty, fill, h, icon, on, paced, pill, select, time, CHANNEL_NAMES, MESSAGE_STATUSES, channelWord, counted, providerWord, reasonWord, statusMeaning, statusWord, when } from './dom.js';
import { listen } from './live.js';
import { reader } from './message.js';
import { Feed, rows } from './rows.js';

const FILTERS = ['channel', 'status', 'provider', 'recipient', 'job_id'];
const ASKED = ['q', ...FILTERS];
const FIELDS = 'message_id,job_id,recipient,channel,provider,address,status,reason,error,subject,body,created_at';
// A message stands beside the list.
const WIDE = matchMedia('(min-width: 1100px)');

const asked = () => ASKED.map((name) => [name, route().params[name] ?? '']);
const isFiltered = () => asked().some(([, value]) => value);

const filterOf = (word) => ({ to: 'recipient', job: 'job_id' })[word] ?? FILTERS.find((it) => it === word);

// Entries of one message are one row, also where a page ends between them.
function join(items, entries) {
	const joined = [...items];
	for (const entry of entries) {
		const last = joined.at(-1);
		if (last?.message_id === entry.message_id) last.entries.push(entry);
		else joined.push({ message_id: entry.message_id, entries: [entry] });
	}
	return joined;
}

function summary(entry) {
	if (!entry.channel) return entry.error ?? reasonWord(entry.reason) ?? statusMeaning(entry.status);
	const text = (entry.body ?? '').replace(/\s+/g, ' ').trim();
	return entry.subject ? [h('b', entry.subject), text && ` — ${text.slice(0, 160)}`] : text.slice(0, 200);
}

function row({ entries }) {
	const [entry] = entries;
	const { channel, status, created_at: at } = entry;
	const [first, ...others] = entries.map((it) => icon(it.channel ?? 'none', `${channelWord(it.channel)}${it.provider ? ` by ${providerWord(it.provider)}` : ''}`));
	return [
		h(`span.chan.${channel ?? 'none'}`, first, others.length > 0 && h('small', `+${others.length}`)),
		h('span.who', entry.recipient), time(at, when(at)), h('span.what', summary(entry)), status !== 'SENT' && pill(status, entry.reason),
	];
}

export function open(root, first) {
	let [key, isByKey] = ['', false];
	const openChosen = (replace) => list.chosen && go(['outbox', list.chosen.message_id], route().params, replace);
	const list = rows(Feed, 'outbox-list', 'Messages', 54, {
		row,
		move: () => WIDE.matches && follow(),
		// Who opens it by a key reads on by keys.
		open(byKey) {
			isByKey = byKey;
			if (byKey && reading.id === list.chosen.message_id) reading.focus();
			else openChosen(false);
		},
		ask: (query, signal) => get('/_bulkd/outbox', { ...Object.fromEntries(asked()), order: 'desc', limit: 100, fields: FIELDS, ...query }, signal),
		join,
		isOpen: (it) => it.message_id === reading.id,
		newer: ([newest]) => ({ after: newest.message_id }),
		told: paint,
	});
	const field = h('input', { type: 'search', placeholder: 'Search', label: 'Search subject, body, address and recipient', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search' });
	const [chips, state, nothing] = [h('.chips'), h('p.state', { role: 'status' }), h('.over')];
	const fresh = h('button.fresh', { onclick: () => {
		list.restart();
		list.scrollTop = 0;
	} });
	const reading = reader({ close, blank: () => empty('Choose a message', h('p', h('kbd', 'j'), ' ', h('kbd', 'k'), ' move, ', h('kbd', '/'), ' searches, ', h('kbd', '?'), ' lists all keys')) });
	const split = h('.split',
		h('section.list', { label: 'Outbox' }, h('.search', icon('search'), field, h('kbd', { 'aria-hidden': 'true' }, '/')), chips, h('.list-body', fresh, list, nothing), state),
		reading.place);
	fill(root, split);

	function paint() {
		const { items, isWhole, isOld, unseen, error } = list;
		fresh.hidden = !unseen;
		fill(fresh, '↑', unseen === Infinity ? 'Many new messages' : counted(unseen, 'new message'));
		nothing.hidden = items.length > 0 || !isWhole || isOld;
		fill(nothing, empty(isFiltered() ? 'No matches' : 'The outbox is empty', isFiltered() && h('button', { onclick: () => go(['outbox']) }, 'Show all')));
		fill(state, error || (nothing.hidden && `${isWhole ? '' : 'The newest '}${counted(items.length, 'message')}${isOld || (!isWhole && items.length < 30) ? ' …' : ''}`));
	}

	function paintChips() {
		const { params } = route();
		const set = (name) => (value) => go(['outbox'], { ...params, [name]: value });
		const filter = (name, label, list) => select(label, [['', label], ...list], params[name] ?? '', set(name), `.chip.${params[name] ? 'set' : ''}`);
		fill(chips,
			filter('channel', 'Any channel', CHANNEL_NAMES.map((name) => [name, channelWord(name)])),
			filter('status', 'Any outcome', MESSAGE_STATUSES.map((name) => [name, statusWord(name)])),
			FILTERS.slice(2).filter((name) => params[name]).map((name) => h('button.chip.set', { title: 'Remove this filter', onclick: () => set(name)('') },
				name === 'job_id' ? `job: …${params[name].slice(-6)} ×` : `${name}: ${params[name]} ×`)));
	}

	// Words, and filters among them. A filter that is written on is none yet.
	const search = paced(90, () => {
		if (!field.isConnected || (!isTyped && filterOf(/\b(\w+):\S*$/.exec(field.value)?.[1]))) return;
		const next = { ...route().params };
		const typed = field.value.split(/\s+/);
		const words = typed.filter((word) => {
			const [, name, value] = /^(\w+):(\S+)$/.exec(word) ?? [];
			const filter = filterOf(name);
			if (filter) next[filter] = filter === 'status' ? value.toUpperCase() : value;
			return !filter;
		});
		next.q = words.join(' ').trim();
		if (words.length !== typed.length) field.value = next.q;
		go(['outbox', reading.id], next, true);
	});
	let isTyped = false;
	const searchFor = (isWhole) => {
		isTyped = isWhole;
		search();
	};
	on(field, 'input', () => searchFor(false));
	on(field, 'keydown', (event) => {
		if (event.key !== 'Enter' && event.key !== 'ArrowDown') return;
		event.preventDefault();
		searchFor(true);
		list.focus();
		if (list.at < 0) list.choose(0);
	});

	const follow = paced(60, () => list.isConnected && openChosen(true));
	const renew = paced(250, () => list.renew());
	listen(list, ({ missed, made, changed }) => {
		if (missed) list.restart();
		else if (made) renew();
		if (!changed.size) return;
		for (const item of list.items) {
			const status = changed.get(item.message_id);
			if (status) for (const entry of item.entries) entry.status = status;
		}
		list.later();
		if (changed.has(reading.id)) reading.refresh();
	});

	function update({ id, params }) {
		const wanted = JSON.stringify(asked());
		if (wanted !== key) {
			key = wanted;
			if (document.activeElement !== field) field.value = params.q ?? '';
			paintChips();
			list.restart();
		}
		if (id !== reading.id) {
			reading.show(id, isByKey);
			isByKey = false;
			list.at = list.items.findIndex(list.isOpen);
			list.reveal();
		}
		split.classList.toggle('open', !!id);
	}

	function close() {
		follow.stop();
		go(['outbox'], route().params);
		list.focus();
	}
	function back() {
		follow.stop();
		const { activeElement, body } = document;
		if (route().id) {
			// Who reads beside the list goes back to it first.
			if (!WIDE.matches || activeElement === body || list.contains(activeElement)) close();
			else list.focus();
			return true;
		}
		const was = isFiltered();
		if (was) go(['outbox']);
		return was;
	}

	reading.show('');
	update(first);
	return { update, back };
}
