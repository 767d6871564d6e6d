// One message: as its recipient sees it, and beside it how it came about.

import { address } from './app.js';
import { base, get, part, post, quoted, shownKey } from './api.js';
import { seen } from './channels.js';
import { $, attempt, button, choice, copy, empty, fill, h, icon, json, languages, paced, pairs, pill, select, time } from './dom.js';
import { channelWord, counted, hue, initials, providerWord, reasonWord, second, statusKind, statusMeaning, statusWord } from './words.js';

// What an event of a history says.
const EVENTS = {
	ENQUEUED: 'Accepted', MAPPED: 'Its template was found', UNMAPPED: 'There is no such template', PROFILE_LOADED: 'The profile was put together',
	RENDERED: 'The texts were written', SENT: 'Given to the provider', DELIVERED: 'Arrived', OPENED: 'Opened', CLICKED: 'A link was followed',
	UNDELIVERABLE: 'Could not be delivered', UNROUTABLE: 'No way was found', FILTERED: 'Kept back by a condition', CANCELED: 'Canceled', DELAYED: 'Waits for its time', DELIVERING: 'Handed over',
};

const section = (title, content, isOpen = true) => h('details.section', { open: isOpen }, h('summary', h('h3', title)), content);

const shownValue = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

function known(values, meanings) {
	const entries = Object.entries(values ?? {});
	if (!entries.length) return h('p.dim', 'None');
	return pairs(entries.map(([name, { value, from }]) => [name, shownValue(value), h('span.from', { title: meanings[from] ?? '' }, from)]));
}

function routing(detail) {
	const { tried, asked } = detail.routing;
	const steps = tried.map((it) => h(`li.${statusKind(it.status)}`,
		h('span.way', icon(it.channel), h('b', channelWord(it.channel)), h('span.dim', providerWord(it.provider))),
		pill(it.status, it.reason), h('div.dim.wrap', it.error ?? (reasonWord(it.reason) || it.address))));
	return [
		h('p.dim', asked ? `Asked for: ${asked.method === 'all' ? 'all of' : 'the first that works of'} ${(asked.channels ?? []).map((it) => (typeof it === 'string' ? channelWord(it) : JSON.stringify(it))).join(', ')}` : 'Nothing was asked for: the usual order of channels'),
		steps.length ? h('ol.ways', steps) : h(`p.verdict.${statusKind(detail.status)}`, detail.error ?? (reasonWord(detail.reason) || statusMeaning(detail.status))),
	];
}

function timeline(history) {
	const first = history[0]?.ts ?? 0;
	return h('ol.timeline', history.map((it) => {
		const more = Object.fromEntries(Object.entries(it).filter(([name]) => !['type', 'ts'].includes(name)));
		const by = [it.channel?.name ?? it.channel, providerWord(it.provider), reasonWord(it.reason)].filter((text) => typeof text === 'string' && text).join(' · ');
		return h(`li.${statusKind(it.type)}`,
			h('details', h('summary', h('b', EVENTS[it.type] ?? it.type), time(it.ts, it.ts === first ? second(it.ts) : `+${it.ts - first} ms`), by && h('span.dim', by)), json(more, it.type)));
	}));
}

// How a test waits for this message.
function finding(detail, entry) {
	const { recipient, status } = detail;
	const wanted = { recipient, ...(entry?.channel ? { channel: entry.channel } : { status }), ...(entry?.subject && { subject: { contains: entry.subject.slice(0, 40) } }) };
	const text = JSON.stringify({ outbox: wanted, count: { exactly: 1 } }, null, 2);
	const inner = text.replaceAll('\n', '\n    ');
	return languages({
		pytest: `import os, httpx\n\nBULKD = os.environ["COURIER_BASE_URL"]\nAUTH = {"Authorization": f"Bearer {os.environ['COURIER_API_KEY']}"}\n\ndef test_${recipient.replace(/\W+/g, '_').toLowerCase()}_is_told():\n    found = httpx.post(f"{BULKD}/_bulkd/wait", headers=AUTH, timeout=30, json=${inner})\n    assert found.status_code == 200, found.json()["message"]`,
		vitest: `import { expect, test } from "vitest";\n\ntest("${recipient.replaceAll('"', '')} is told", async () => {\n  const found = await fetch(\`\${process.env.COURIER_BASE_URL}/_bulkd/wait\`, {\n    method: "POST",\n    headers: { authorization: \`Bearer \${process.env.COURIER_API_KEY}\` },\n    body: JSON.stringify(${inner}),\n  });\n  expect(found.status, await found.text()).toBe(200);\n});`,
		curl: `curl ${base()}/_bulkd/wait -H "Authorization: Bearer ${shownKey}" \\\n  -H 'Content-Type: application/json' -d '${quoted(text)}'`,
		Body: text,
	}, 'Copy the test');
}

function findings(detail) {
	const { codes, links } = detail;
	if (!codes.length && !links.length) return null;
	return section('Codes and links', [
		codes.map((it) => h('div.found', h('code.otp', it), copy(it, 'Copy the code'))),
		links.map((it) => h('div.found', h('span.url', { title: it }, it), copy(it, 'Copy the link'))),
	]);
}

const actions = (detail, refresh) => {
	const at = `/messages/${part(detail.message_id)}`;
	const event = (status, field) => {
		field.value = '';
		attempt(() => post(`/_bulkd${at}/events`, { status }), `It is ${statusWord(status).toLowerCase()}`).then(refresh);
	};
	return h('div.acts',
		detail.status === 'DELAYED' && button('Cancel', () => post(`${at}/cancel`), 'It is canceled', refresh),
		['SENT', 'DELIVERED', 'OPENED'].includes(detail.status) && select('What happens to it next', [['', 'Have it be…'], ...['DELIVERED', 'OPENED', 'CLICKED'].map((it) => [it, statusWord(it)]), ['UNDELIVERABLE', 'Bounced']], '', event),
		button([icon('again'), 'Send again'], () => post(`${at}/resend`), 'It was sent again', null, '', { title: 'Make a new message of the same, with what is stored now' }),
		button([icon('copy'), 'Link'], () => navigator.clipboard.writeText(location.href), 'The address is copied', null, '', { title: 'Copy the address of this page, for a colleague' }));
};

// The pane in which one message after another is read.
export function reader({ back, blank = () => null }) {
	const place = h('section.pane', { label: 'Message' });
	let [chosen, isByKey] = [0, false];

	function paint(detail) {
		const { recipient, status, reason, message_id: id, job_id: jobId } = detail;
		const entries = detail.deliveries.filter((it) => it.channel);
		const entry = entries[Math.min(chosen, entries.length - 1)];
		const look = h('div.look');
		const showLook = (name) => fill(look, name === 'request' ? json(entry.request, 'Request of the provider') : seen(entry));
		if (entry) showLook('seen');
		const article = h('article.message', { tabindex: -1, label: `Message to ${recipient}` },
			h('header.message-top',
				h('button.back.quiet', { label: 'Back to the list', onclick: back }, icon('back')),
				h('span.avatar', { 'aria-hidden': 'true', style: { '--hue': hue(recipient) } }, initials(recipient)),
				h('div.message-who',
					h('h2', entry?.subject ?? entry?.body?.split('\n')[0] ?? detail.error ?? statusWord(status)),
					h('p', h('a', { href: address(['outbox'], { recipient }), title: 'All messages to this recipient' }, recipient), entry && entry.address !== recipient && h('span.dim', ` ${entry.address}`), time(detail.created_at, undefined, 'dim'))),
				pill(status, reason), actions(detail, refresh)),
			(detail.error || reason) && h(`p.verdict.${statusKind(status)}`, h('b', `${statusWord(status)}: ${reasonWord(reason) || statusMeaning(status)}. `), detail.error),
			h('div.message-body',
				h('div.message-main',
					entry && h('div.bar',
						entries.length > 1 && choice('Channel', entries.map((it, at) => [at, [icon(it.channel), channelWord(it.channel)]]), entries.indexOf(entry), (at) => {
							chosen = at;
							paint(detail);
						}), choice('What is shown', [['seen', 'As seen'], ['request', `${providerWord(entry.provider)}’s request`]], 'seen', showLook)),
					entry ? look : empty('Nothing went out', h('p', 'How that came about stands beside it.'))),
				h('aside.message-side', { label: 'How it came about' },
					findings(detail),
					section('The way it took', routing(detail)),
					section('What happened', timeline(detail.history)),
					section('Data', known(detail.data, { job: 'From the job: the same for all', user: 'From the user’s data', to: 'From the user’s to.data' })),
					section('Profile', known(detail.profile, { request: 'The request said so', 'stored profile': 'It was stored before' }), false),
					section('Find this in a test', finding(detail, entry)),
					section('Where it belongs', pairs([
						['Message', h('code', id), copy(id, 'Copy the id')],
						['Job', h('a', { href: address(['jobs', jobId]) }, h('code', jobId)), copy(jobId, 'Copy the job’s id')],
						['Channels', counted(entries.length, 'delivery', 'deliveries')],
					]), false))));
		const { scrollTop } = place;
		fill(place, article);
		place.scrollTop = scrollTop;
		if (isByKey) it.focus();
		isByKey = false;
	}

	const refresh = paced(0, async () => {
		const { id } = it;
		try {
			const detail = id && (await get(`/_bulkd/outbox/${part(id)}`));
			if (id && it.id === id) paint(detail);
		} catch (error) {
			if (it.id === id) fill(place, empty('There is no such message', h('p', error.message), h('button', { onclick: back }, 'Back')));
		}
	});
	const it = {
		place,
		id: '',
		refresh,
		focus: () => $('article', place)?.focus({ preventScroll: true }),
		show(id, byKey = false) {
			[it.id, chosen, isByKey] = [id, 0, byKey];
			place.scrollTop = 0;
			if (id) refresh();
			else fill(place, blank());
		},
	};
	return it;
}
