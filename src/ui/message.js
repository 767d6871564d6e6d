// One message, and how it came about.

import { address } from './app.js';
import { curl, get, part, post } from './api.js';
import { seen } from './channels.js';
import { $, button, byChannel, choice, closer, copy, dim, empty, fill, h, icon, idWithCopy, json, languages, link, paced, pairs, pill, time, channelWord, providerWord, reasonWord, second, statusKind, statusMeaning, statusWord } from './dom.js';

// What an event of a history says that is no outcome.
const EVENTS = { ENQUEUED: 'Accepted', MAPPED: 'Its template was named', PROFILE_LOADED: 'The profile was put together', RENDERED: 'The texts were written', DELIVERING: 'Handed over' };
const fold = (title, content, isOpen = true) => h('details.section', { open: isOpen }, h('summary', h('h3', title)), content);

function known(values) {
	const entries = Object.entries(values ?? {});
	if (!entries.length) return h('p.dim', 'None');
	return pairs(entries.map(([name, { value, from }]) => [name, typeof value === 'string' ? value : JSON.stringify(value), h('span.from', from)]));
}

const why = ({ reason, status }) => reasonWord(reason) || statusMeaning(status);

const way = (kind, channel, name, more, ...about) => h(`li.${kind}`, h('span.way', icon(channel), h('b', name), dim(more)), about);

function routing(detail) {
	const { tried, asked, passed_over: passedOver } = detail.routing;
	// What was not needed stands behind what was tried.
	const passed = (isNeeded) => (passedOver ?? []).filter((it) => (it.reason !== 'NOT_NEEDED') === isNeeded)
		.map(({ name, address, why }) => way('calm', name ?? 'none', name ? channelWord(name) : 'The message', address, h('.dim', why)));
	const ways = [...passed(true), ...tried.map((it) => way(statusKind(it.status), it.channel, channelWord(it.channel), providerWord(it.provider), pill(it.status, it.reason), h('.dim', it.error ?? (reasonWord(it.reason) || it.address)))), ...passed(false)];
	const wanted = asked?.channels?.map((it) => (typeof it === 'string' ? channelWord(it) : JSON.stringify(it))).join(', ');
	return [
		h('p.dim', asked ? `Asked for: ${asked.method === 'all' ? 'all of' : 'the first that works of'} ${wanted ?? ''}` : 'No routing given: default channel order'),
		h('ol.ways', ways),
	];
}

const timeline = (history) => h('ol.timeline', history.map(({ type, ts, ...more }) => {
	const by = [more.channel && channelWord(more.channel.id), providerWord(more.integration?.provider), more.notification_id, reasonWord(more.reason)].filter(Boolean).join(' · ');
	const after = ts - history[0].ts;
	return h(`li.${statusKind(type)}`,
		h('details', h('summary', h('b', EVENTS[type] ?? statusWord(type)), time(ts, after ? `+${after} ms` : second(ts)), by && dim(by)), json(more, type)));
}));

function finding({ recipient, status }, entry) {
	const isTold = statusKind(status) === 'good';
	const name = `${recipient} is ${isTold ? 'told' : status.toLowerCase()}`;
	const wanted = { recipient, ...(entry && { channel: entry.channel }), ...(!isTold && { status }), ...(entry?.subject && { subject: { contains: entry.subject.slice(0, 40) } }) };
	const body = JSON.stringify({ outbox: wanted, count: { exactly: 1 } }, null, 2);
	const inner = body.replaceAll('\n', '\n    ');
	return languages({
		pytest: `import os, httpx

def test_${name.replace(/\W+/g, '_').toLowerCase()}():
    auth = {"Authorization": f"Bearer {os.environ['COURIER_API_KEY']}"}
    found = httpx.post(os.environ["COURIER_BASE_URL"] + "/_bulkd/wait", headers=auth, timeout=30, json=${inner})
    assert found.status_code == 200, found.json()["message"]`,
		vitest: `import { expect, test } from "vitest";

test(${JSON.stringify(name)}, async () => {
  const found = await fetch(\`\${process.env.COURIER_BASE_URL}/_bulkd/wait\`, {
    method: "POST",
    headers: { authorization: \`Bearer \${process.env.COURIER_API_KEY}\` },
    body: JSON.stringify(${inner}),
  });
  expect(found.status, await found.text()).toBe(200);
});`,
		curl: curl('/_bulkd/wait', body),
		Body: body,
	}, 'test');
}

const findings = ({ codes, links }) => codes.length + links.length > 0 && fold('Codes and links', [
	...codes.map((it) => [h('code.otp', it), copy(it, 'Copy the code')]),
	...links.map((it) => [h('span.url', { title: it }, it), copy(it, 'Copy the link')]),
].map((it) => h('.found', it)));

// The pane in which one message after another is read.
export function reader({ close, blank = () => null }) {
	const place = h('section.pane', { label: 'Message' });
	// Which of several channels is shown, and how.
	const state = { at: 0, look: 'seen' };
	let isByKey = false;

	function head(detail, entry) {
		const { message_id: id, recipient, status, error } = detail;
		const ask = (what) => () => post(`/messages/${part(id)}/${what}`);
		return h('header.message-top',
			closer(close),
			h('.message-who',
				h('h2', entry?.subject ?? entry?.body?.split('\n')[0] ?? error ?? statusWord(status)),
				h('p', link(address(['outbox'], { recipient }), recipient), entry && entry.address !== recipient && dim(entry.address), time(detail.created_at), link(address(['jobs', detail.job_id]), 'Job'))),
			pill(status, detail.reason),
			h('.acts', status === 'DELAYED' && button('Cancel', ask('cancel'), 'Canceled', refresh), button('Send again', ask('resend'), 'Sent again')));
	}

	function paint(detail) {
		const { recipient, status, error } = detail;
		const kept = detail.routing.passed_over?.find((it) => !it.name);
		const entries = detail.deliveries.filter((it) => it.channel);
		const entry = entries[state.at];
		const look = h('.look');
		const again = () => paint(detail);
		const showLook = () => fill(look, state.look === 'seen' ? seen(entry) : json(entry.request, 'Request of the provider'));
		if (entry) showLook();
		const { scrollTop } = place;
		fill(place, h('article.message', { tabindex: -1, label: `Message to ${recipient}` }, head(detail, entry),
			statusKind(status) !== 'good' && h(`p.verdict.${statusKind(status)}`, h('b', `${statusWord(status)}: ${why(detail)}. `), kept?.why ?? error),
			h('.message-body',
				h('.message-main',
					entry && h('.bar',
						entries.length > 1 && choice(state, 'at', 'Channel', byChannel(entries.map((it) => it.channel)).map(([, word], at) => [at, word]), again),
						choice(state, 'look', 'What is shown', [['seen', 'As seen'], ['request', `${providerWord(entry.provider)}’s request`]], showLook)),
					entry ? look : empty('Nothing went out')),
				h('aside.message-side', { label: 'How it came about' },
					findings(detail),
					fold('The way it took', routing(detail)),
					fold('What happened', timeline(detail.history)),
					fold('Data', known(detail.data)),
					fold('Profile', known(detail.profile), false),
					fold('Find this in a test', finding(detail, entry)),
					h('p.section', 'Message ', idWithCopy(detail.message_id, 'message’s id'))))));
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
			if (it.id === id) fill(place, empty('There is no such message', h('p', error.message), h('button', { onclick: close }, 'Close')));
		}
	});
	const it = {
		place,
		id: '',
		refresh,
		focus: () => $('article', place)?.focus({ preventScroll: true }),
		show(id, byKey = false) {
			[it.id, isByKey] = [id, byKey];
			Object.assign(state, { at: 0, look: 'seen' });
			place.scrollTop = 0;
			if (id) refresh();
			else fill(place, blank());
		},
	};
	return it;
}
