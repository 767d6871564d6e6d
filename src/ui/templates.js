// Templates and brands: what is stored, as it looks with sample data, the draft beside what is published.

import { address, go } from './app.js';
import { get, part, post } from './api.js';
import { seen } from './channels.js';
import { attempt, button, chosenIn, empty, fill, h, icon, idWithCopy, json, paced, two } from './dom.js';
import { CHANNEL_NAMES, ago, channelWord, counted } from './words.js';

// Somebody who can be reached by any channel.
const ANYBODY = {
	user_id: 'ada', email: 'ada@example.com', phone_number: '+15555550100', firebaseToken: 'sample-device',
	slack: { access_token: 'xoxb-sample', channel: 'C0SAMPLE' }, webhook: { url: 'https://example.com/hook' },
};

// Names of the data that a content asks for.
const variables = (content) => new Set([...JSON.stringify(content ?? '').matchAll(/\{\{\{?\s*(?:data\.)?([a-zA-Z_]\w*)\s*\}?\}\}/g)].map(([, name]) => name));

export async function preview(place, message, channel) {
	try {
		const detail = await post('/_bulkd/preview', { message: { ...message, routing: { method: 'single', channels: [channel] } } });
		const entry = detail.deliveries.find((it) => it.channel);
		fill(place, entry ? [channel === 'email' && h('p.subject', entry.subject), seen(entry)] : empty('Nothing would go out', h('p', detail.error ?? detail.reason ?? detail.status)));
	} catch (error) {
		fill(place, h('p.verdict.bad', error.message));
	}
}

// All that is stored under a path.
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

export function open(root, first) {
	let [now, known, shown] = [first, null, ''];
	const [names, place] = two(root, 'Templates and brands', 'What is stored');

	const item = (path, title, about) => h('a', { href: address(path), 'aria-current': path.slice(1).join('/') === [now.id, now.sub].filter(Boolean).join('/') && 'page' }, h('b', title), h('span.dim', about));
	const kind = (title, items) => [h('h2', title), items, !items.length && h('p.dim', 'None is stored')];
	function paintNames() {
		const [templates, brands] = known ?? [[], []];
		fill(names, h('h1.sr', 'Templates and brands'),
			kind('Templates', templates.map((it) => item(['templates', it.id], it.name || it.id, it.alias ?? it.id))),
			kind('Brands', brands.map((it) => item(['templates', 'brand', it.id], it.name, it.id))));
	}
	async function template(id) {
		const path = `/notifications/${part(id)}`;
		const [draft, published, { versions }] = await Promise.all([get(path, { version: 'draft' }), get(path, { version: 'published' }).catch(() => null), get(`${path}/versions`).catch(() => ({ versions: [] }))]);
		const state = { channel: 'email' };
		const samples = Object.fromEntries([...variables(draft.content)].map((name) => [name, `[${name}]`]));
		const isSame = published && JSON.stringify(published.content) === JSON.stringify(draft.content);
		const sides = [[isSame ? 'Published, and the draft' : 'Published', published], ...(isSame ? [] : [['Draft', draft]])].map(([name, it]) => ({ it, at: h('div.look'), name }));
		const show = paced(300, async () => {
			let data = null;
			try {
				data = JSON.parse(field.value || '{}');
			} catch {
				// It is written on.
			}
			field.classList.toggle('wrong', !data);
			if (data) await Promise.all(sides.map(({ it, at }) => (it ? preview(at, { to: ANYBODY, data, content: it.content, ...(it.brand?.id && { brand_id: it.brand.id }) }, state.channel) : fill(at, empty('Not published yet')))));
		});
		const field = h('textarea', { rows: 5, spellcheck: 'false', label: 'Sample data as JSON', value: JSON.stringify(samples, null, 2), oninput: show });
		show();
		return [
			h('header.page-top', h('h2', draft.name || id), idWithCopy(id, 'template’s id'), draft.alias && h('span.pill', `event ${draft.alias}`), h('span.grow'),
				isSame ? h('span.dim', 'The draft is what is published') : button('Publish the draft', () => post(`${path}/publish`), 'It is published', paint, '.primary')),
			h('p.dim', [draft.brand?.id && `Brand ${draft.brand.id}`, draft.subscription?.topic_id && `topic ${draft.subscription.topic_id}`, versions.length > 1 ? counted(versions.length - 1, 'version') : 'never published', draft.updated && `changed ${ago(draft.updated)}`].filter(Boolean).join(' · ')),
			h('div.bar', chosenIn(state, 'channel', 'Channel', CHANNEL_NAMES.map((it) => [it, [icon(it), channelWord(it)]]), show)),
			h('div.sides', sides.map(({ name, at }) => h('section', h('h3', name), at))),
			h('div.sides', h('section', h('h3', 'Sample data'), field), h('section', h('h3', 'Content'), json(draft.content, 'Content'))),
		];
	}
	async function brand(id) {
		const { name, settings = {} } = await get(`/brands/${part(id)}`);
		const at = h('div.look');
		const text = (content, more = {}) => ({ type: 'text', content, ...more });
		preview(at, { to: ANYBODY, brand_id: id, content: { version: '2022-01-01', elements: [{ type: 'meta', title: `Hello from ${name}` }, text('This is how a message looks.', { text_style: 'h1' }), text('With some words below, and a button.'), { type: 'action', content: 'A button', href: 'https://example.com' }] } }, 'email');
		return [
			h('header.page-top', h('h2', name), idWithCopy(id, 'brand’s id')),
			h('div.swatches', Object.entries(settings.colors ?? {}).map(([name, color]) => h('span', h('i', { style: { background: color } }), name, ' ', h('code', color)))),
			h('div.sides', h('section', h('h3', 'An e-mail in its frame'), at), h('section', h('h3', 'Settings'), json(settings, 'Settings'))),
		];
	}
	const paint = paced(0, async () => {
		const { id, sub } = now;
		const found = await attempt(() => (id === 'brand' && sub ? brand(sub) : template(id)));
		fill(place, found ? h('div.page', found) : empty('There is nothing of this name'));
	});
	function update(to) {
		now = to;
		paintNames();
		const name = `${to.id}/${to.sub}`;
		if (name === shown) return;
		if (to.id) {
			shown = name;
			place.scrollTop = 0;
			paint();
		} else if (known) {
			const [[newest], [brand]] = known;
			if (newest) go(['templates', newest.id], {}, true);
			else if (brand) go(['templates', 'brand', brand.id], {}, true);
			else fill(place, empty('No templates and no brands', h('p', 'What POST /notifications and POST /brands store is shown here. A seed file can bring them: bulkd --seed fixtures.json')));
		}
	}
	update(first);
	Promise.all([storedTemplates(), all('/brands')]).then((found) => {
		known = found;
		if (names.isConnected) update(now);
	});
	return { update };
}
