// One message: as its recipient sees it, and beside it how it came about.

import { address } from './app.js';
import { base, get, part, post, shownKey } from './api.js';
import { seen } from './channels.js';
import { attempt, button, choice, code, copy, empty, fill, h, icon, json, options as choices, pairs, toast } from './dom.js';
import { pill } from './outbox.js';
import { channelWord, counted, exactly, hue, initials, providerWord, reasonWord, statusKind, statusMeaning, statusWord } from './words.js';

// What an event of a history says.
const EVENTS = {
	ENQUEUED: 'Accepted', MAPPED: 'Its template was found', UNMAPPED: 'There is no such template', PROFILE_LOADED: 'The profile was put together',
	RENDERED: 'The texts were written', SENT: 'Given to the provider', DELIVERED: 'Arrived', OPENED: 'Opened', CLICKED: 'A link was followed',
	UNDELIVERABLE: 'Could not be delivered', UNROUTABLE: 'No way was found', FILTERED: 'Kept back by a condition', CANCELED: 'Canceled', DELAYED: 'Waits for its time', DELIVERING: 'Handed over',
};

const section = (title, content, isOpen = true) => h('details.section', { open: isOpen }, h('summary', h('h3', title)), ...content);

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
			h('details', h('summary', h('b', EVENTS[it.type] ?? it.type), h('time', { title: exactly(it.ts) }, it.ts === first ? exactly(it.ts).slice(11, 19) : `+${it.ts - first} ms`), by && h('span.dim', by)), json(more, it.type)));
	}));
}

// How a test waits for this message.
function finding(detail, entry) {
	const wanted = { recipient: detail.recipient, ...(entry?.channel && { channel: entry.channel }), ...(entry?.subject && { subject: { contains: entry.subject.slice(0, 40) } }), ...(!entry?.channel && { status: detail.status }) };
	const body = { outbox: wanted, count: { exactly: 1 } };
	const text = JSON.stringify(body, null, 2);
	const python = text.replace(/\btrue\b/g, 'True').replace(/\bfalse\b/g, 'False').replace(/\bnull\b/g, 'None').replaceAll('\n', '\n    ');
	const ways = {
		curl: `curl ${base()}/_bulkd/wait -H "Authorization: Bearer ${shownKey}" \\\n  -H 'Content-Type: application/json' -d '${text.replaceAll("'", "'\\''")}'`,
		pytest: `import os, httpx\n\nBULKD = os.environ["COURIER_BASE_URL"]\nAUTH = {"Authorization": f"Bearer {os.environ['COURIER_API_KEY']}"}\n\ndef test_${detail.recipient.replace(/\W+/g, '_').toLowerCase()}_is_told():\n    found = httpx.post(f"{BULKD}/_bulkd/wait", headers=AUTH, timeout=30, json=${python})\n    assert found.status_code == 200, found.json()["message"]`,
		vitest: `import { expect, test } from "vitest";\n\ntest("${detail.recipient.replaceAll('"', '')} is told", async () => {\n  const found = await fetch(\`\${process.env.COURIER_BASE_URL}/_bulkd/wait\`, {\n    method: "POST",\n    headers: { authorization: \`Bearer \${process.env.COURIER_API_KEY}\` },\n    body: JSON.stringify(${text.replaceAll('\n', '\n    ')}),\n  });\n  expect(found.status, await found.text()).toBe(200);\n});`,
		body: text,
	};
	const place = h('div');
	const show = (name) => fill(place, code(ways[name], 'Copy the test'));
	show('pytest');
	return [choice('Language', [['pytest', 'pytest'], ['vitest', 'vitest'], ['curl', 'curl'], ['body', 'Body']], 'pytest', show), place];
}

function findings(detail) {
	const { codes, links } = detail;
	if (!codes.length && !links.length) return null;
	return section('Codes and links', [
		codes.map((it) => h('div.found', h('code.otp', it), copy(it, 'Copy the code'))),
		links.map((it) => h('div.found', h('span.url', { title: it }, it), copy(it, 'Copy the link'))),
	]);
}

export function openMessage(root, messageId, options) {
	let isOver = false;
	let chosen = 0;

	function actions(detail) {
		const went = ['SENT', 'DELIVERED', 'OPENED'].includes(detail.status);
		const event = (change) => {
			const status = change.target.value;
			change.target.value = '';
			attempt(() => post(`/_bulkd/messages/${part(messageId)}/events`, { status }), `It is ${statusWord(status).toLowerCase()}`).then(refresh);
		};
		return h('div.acts',
			detail.status === 'DELAYED' && button('Cancel', () => post(`/messages/${part(messageId)}/cancel`), 'It is canceled', refresh),
			went && h('select.chip', { label: 'What happens to it next', onchange: event }, choices([['', 'Have it be…'], ...['DELIVERED', 'OPENED', 'CLICKED'].map((it) => [it, statusWord(it)]), ['UNDELIVERABLE', 'Bounced']])),
			button([icon('again'), 'Send again'], () => post(`/messages/${part(messageId)}/resend`), 'It was sent again', null, '', 'Make a new message of the same, with what is stored now'),
			h('button', { title: 'Copy the address of this page, for a colleague', onclick: () => navigator.clipboard.writeText(location.href).then(() => toast('The address is copied')) }, icon('copy'), 'Link'));
	}

	function paint(detail) {
		const entries = detail.deliveries.filter((it) => it.channel);
		chosen = Math.min(chosen, Math.max(0, entries.length - 1));
		const entry = entries[chosen];
		const title = entry?.subject ?? entry?.body?.split('\n')[0] ?? detail.error ?? statusWord(detail.status);
		const look = h('div.look');
		const showLook = (name) => fill(look, name === 'request' ? json(entry.request, 'Request of the provider') : seen(entry));
		const tabs = entry && choice('What is shown', [['seen', 'As seen'], ['request', `${providerWord(entry.provider)}’s request`]], 'seen', showLook);
		if (entry) showLook('seen');
		const article = h('article.message', { tabindex: -1, label: `Message to ${detail.recipient}` },
			h('header.message-top',
				h('button.back.quiet', { label: 'Back to the list', onclick: options.back }, icon('back')),
				h('span.avatar', { 'aria-hidden': 'true', style: { '--hue': hue(detail.recipient) } }, initials(detail.recipient)),
				h('div.message-who',
					h('h2', title),
					h('p', h('a', { href: address(['outbox'], { recipient: detail.recipient }), title: 'All messages to this recipient' }, detail.recipient), entry && entry.address !== detail.recipient && h('span.dim', ` ${entry.address}`), h('time.dim', { title: exactly(detail.created_at) }, exactly(detail.created_at).slice(0, 19)))),
				pill(detail.status, detail.reason), actions(detail)),
			(detail.error || detail.reason) && h(`p.verdict.${statusKind(detail.status)}`, h('b', `${statusWord(detail.status)}: ${reasonWord(detail.reason) || statusMeaning(detail.status)}. `), detail.error),
			h('div.message-body',
				h('div.message-main',
					entry && h('div.bar',
						entries.length > 1 && choice('Channel', entries.map((it, at) => [String(at), [icon(it.channel), channelWord(it.channel)]]), String(chosen), (at) => {
							chosen = Number(at);
							paint(detail);
						}), tabs),
					entry ? look : empty('Nothing went out', h('p', 'How that came about stands beside it.'))),
				h('aside.message-side', { label: 'How it came about' },
					findings(detail),
					section('The way it took', routing(detail)),
					section('What happened', [timeline(detail.history)]),
					section('Data', [known(detail.data, { job: 'From the job: the same for all', user: 'From the user’s data', to: 'From the user’s to.data' })]),
					section('Profile', [known(detail.profile, { request: 'The request said so', 'stored profile': 'It was stored before' })], false),
					section('Find this in a test', finding(detail, entry)),
					section('Where it belongs', [pairs([
						['Message', h('code', detail.message_id), copy(detail.message_id, 'Copy the id')],
						['Job', h('a', { href: address(['jobs', detail.job_id]) }, h('code', detail.job_id)), copy(detail.job_id, 'Copy the job’s id')],
						['Channels', counted(entries.length, 'delivery', 'deliveries')],
					])], false))));
		const { scrollTop } = root;
		fill(root, article);
		root.scrollTop = scrollTop;
		if (options.focus) article.focus({ preventScroll: true });
		options.focus = false;
	}

	async function refresh() {
		try {
			const detail = await get(`/_bulkd/outbox/${part(messageId)}`);
			if (!isOver) paint(detail);
		} catch (error) {
			if (!isOver) fill(root, empty('There is no such message', h('p', error.message), h('button', { onclick: options.back }, 'Back')));
		}
	}

	refresh();
	root.scrollTop = 0;
	return {
		refresh,
		close() {
			isOver = true;
		},
	};
}
