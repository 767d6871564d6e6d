// Templates and brands: what is stored, as it looks with sample data, the draft beside what is published.

import { address, go } from './app.js';
import { get, part, post } from './api.js';
import { seen } from './channels.js';
import { attempt, button, byChannel, choice, dim, empty, fill, grow, h, idWithCopy, json, paced, section, sideLink, tag, top, two, CHANNEL_NAMES, ago } from './dom.js';

// Somebody who can be reached by any channel.
const ANYBODY = {
	user_id: 'ada', email: 'ada@example.com', phone_number: '+15555550100', firebaseToken: 'sample-device',
	slack: { access_token: 'xoxb-sample', channel: 'C0SAMPLE' }, webhook: { url: 'https://example.com/hook' },
};

const text = (content, more = {}) => ({ type: 'text', content, ...more });

const greeting = (name) => ({ version: '2022-01-01', elements: [
	{ type: 'meta', title: `Hello from ${name}` }, text('This is how a message looks.', { text_style: 'h1' }), text('And a button.'),
	{ type: 'action', content: 'A button', href: 'https://example.com' },
] });

// Names of the data that a content asks for, each with a value.
const samplesFor = (content) => Object.fromEntries(Array.from(JSON.stringify(content ?? '').matchAll(/\{\{\{?\s*(?:data\.)?([a-zA-Z_]\w*)\s*\}?\}\}/g), ([, name]) => [name, `[${name}]`]));

export async function preview(place, message, channel) {
	try {
		const detail = await post('/_bulkd/preview', { message: { ...message, routing: { method: 'single', channels: [channel] } } });
		const entry = detail.deliveries.find((it) => it.channel);
		const content = message.content ?? (await get(`/notifications/${part(message.template)}`)).content;
		const missing = Object.keys(samplesFor(content)).filter((it) => !(it in detail.data));
		fill(place, missing.length > 0 && h('p.verdict.warn', `No data for ${missing.join(', ')}`), entry ? [channel === 'email' && h('p.subject', entry.subject), seen(entry)] : empty('Nothing would go out', h('p', detail.error ?? detail.reason ?? detail.status)));
	} catch (error) {
		fill(place, h('p.verdict.bad', error.message));
	}
}

async function all(path) {
	const found = [];
	let cursor = null;
	do {
		const page = await attempt(() => get(path, { limit: 500, cursor }));
		found.push(...(page?.results ?? []));
		cursor = page?.paging?.more ? page.paging.cursor : null;
	} while (cursor);
	return found;
}

export const storedTemplates = () => all('/notifications');

async function template(id, again) {
	const path = `/notifications/${part(id)}`;
	const [draft, published] = await Promise.all([get(path, { version: 'draft' }), get(path, { version: 'published' }).catch(() => null)]);
	const { brand, content, alias, subscription, updated } = draft;
	const state = { channel: 'email' };
	const isSame = published && JSON.stringify(published.content) === JSON.stringify(content);
	const sides = [[isSame ? 'Published, and the draft' : 'Published', published], ...(isSame ? [] : [['Draft', draft]])].map(([name, it]) => ({ name, it, look: h('.look') }));
	const side = async ({ it, look }, data) => (it ? preview(look, { to: ANYBODY, data, content: it.content, ...(it.brand?.id && { brand_id: it.brand.id }) }, state.channel) : fill(look, empty('Not published yet')));
	const show = paced(300, async () => {
		let data = null;
		try {
			data = JSON.parse(field.value || '{}');
		} catch {
			// It is written on.
		}
		field.classList.toggle('wrong', !data);
		if (data) await Promise.all(sides.map((it) => side(it, data)));
	});
	const field = h('textarea', { rows: 5, spellcheck: 'false', label: 'Sample data as JSON', value: JSON.stringify(samplesFor(content), null, 2), oninput: show });
	const about = [brand?.id && `Brand ${brand.id}`, subscription?.topic_id && `topic ${subscription.topic_id}`, updated && `changed ${ago(updated)}`];
	show();
	return [
		top(draft.name || id, about.filter(Boolean).join(' · '), idWithCopy(id, 'template’s id'), alias && tag('', `event ${alias}`), grow(),
			isSame ? dim('The draft is published') : button('Publish the draft', () => post(`${path}/publish`), 'Published', again, '.primary')),
		h('.bar', choice(state, 'channel', 'Channel', byChannel(CHANNEL_NAMES), show)),
		h('.sides', sides.map(({ name, look }) => section(name, look))),
		h('.sides', section('Sample data', field), section('Content', json(content, 'Content'))),
	];
}

async function brand(id) {
	const { name, settings = {} } = await get(`/brands/${part(id)}`);
	const look = h('.look');
	preview(look, { to: ANYBODY, brand_id: id, content: greeting(name) }, 'email');
	return [
		top(name, '', idWithCopy(id, 'brand’s id')),
		h('.sides', section('An e-mail in its frame', look), section('Settings', json(settings, 'Settings'))),
	];
}

export function open(root, first) {
	let [now, known, shown] = [first, null, ''];
	const [names, place] = two(root, 'Templates and brands');
	const kind = (title, path, items) => [h('h2', title), items.map(({ id, name, alias }) => {
		const to = [...path, id];
		return sideLink(address(to), to.join() === ['templates', now.id, now.sub].filter(Boolean).join(), h('b', name || id), dim(alias ?? id));
	}), !items.length && h('p.dim', 'None is stored')];
	const paint = paced(0, async () => {
		const { id, sub } = now;
		const found = await attempt(() => (id === 'brand' && sub ? brand(sub) : template(id, paint)));
		fill(place, found ? h('.page', found) : empty('Not found'));
	});
	function update(to) {
		now = to;
		const [templates, brands] = known ?? [[], []];
		fill(names, kind('Templates', ['templates'], templates), kind('Brands', ['templates', 'brand'], brands));
		const name = `${to.id}/${to.sub}`;
		if (name === shown) return;
		if (to.id) {
			shown = name;
			place.scrollTop = 0;
			paint();
		} else if (templates.length) go(['templates', templates[0].id], {}, true);
		else if (brands.length) go(['templates', 'brand', brands[0].id], {}, true);
		else if (known) fill(place, empty('No templates and no brands', h('p', 'POST /notifications and POST /brands store them, or a seed file: bulkd --seed fixtures.json')));
	}
	update(first);
	Promise.all([storedTemplates(), all('/brands')]).then((found) => {
		known = found;
		if (names.isConnected) update(now);
	});
	return { update };
}
