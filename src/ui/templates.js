// Templates and brands: what is stored, as it looks with sample data, the draft beside what is published.

import { go } from './app.js';
import { get, part, post } from './api.js';
import { seen } from './channels.js';
import { attempt, button, choice, empty, fill, h, icon, json, on, paced } from './dom.js';
import { idWithCopy } from './outbox.js';
import { CHANNEL_NAMES, ago, channelWord, counted } from './words.js';

// Somebody who can be reached by any channel.
const ANYBODY = {
	user_id: 'ada', email: 'ada@example.com', phone_number: '+15555550100', firebaseToken: 'sample-device',
	slack: { access_token: 'xoxb-sample', channel: 'C0SAMPLE' }, webhook: { url: 'https://example.com/hook' },
};

// Names of the data that a content asks for.
function variables(content) {
	const names = new Set();
	for (const [, name] of JSON.stringify(content ?? '').matchAll(/\{\{\{?\s*(?:data\.)?([a-zA-Z_]\w*)\s*\}?\}\}/g)) names.add(name);
	return [...names];
}

export async function render(message, channel) {
	const detail = await post('/_bulkd/preview', { message: { ...message, routing: { method: 'single', channels: [channel] } } });
	return { detail, entry: detail.deliveries.find((it) => it.channel) };
}

export async function preview(place, message, channel) {
	try {
		const { detail, entry } = await render(message, channel);
		fill(place, entry ? [channel === 'email' && h('p.subject', entry.subject), seen(entry)] : empty('Nothing would go out', h('p', detail.error ?? detail.reason ?? detail.status)));
	} catch (error) {
		fill(place, h('p.verdict.bad', error.message));
	}
}

export function open(root, first) {
	let [templates, brands, shown] = [[], [], ''];
	const names = h('nav.side', { label: 'Templates and brands' });
	const place = h('section.pane', { label: 'What is stored' });
	fill(root, h('div.two', names, place));

	function paintNames(to) {
		const item = (path, title, dim) => h('a', { href: `#/${path.map(part).join('/')}`, 'aria-current': path.slice(1).join('/') === [to.id, to.sub].filter(Boolean).join('/') ? 'page' : false, onclick: (event) => {
			event.preventDefault();
			go(path);
		} }, h('b', title), h('span.dim', dim));
		fill(names, h('h1.sr', 'Templates and brands'),
			h('h2', 'Templates'), templates.map((it) => item(['templates', it.id], it.name || it.id, it.alias ?? it.id)), !templates.length && h('p.dim', 'None is stored'),
			h('h2', 'Brands'), brands.map((it) => item(['templates', 'brand', it.id], it.name, it.id)), !brands.length && h('p.dim', 'None is stored'));
	}
	async function template(id) {
		const path = `/notifications/${part(id)}`;
		const [draft, published, { versions }] = await Promise.all([get(path, { version: 'draft' }), get(path, { version: 'published' }).catch(() => null), get(`${path}/versions`).catch(() => ({ versions: [] }))]);
		let channel = 'email';
		const samples = Object.fromEntries(variables(draft.content).map((name) => [name, `[${name}]`]));
		const field = h('textarea', { rows: 5, spellcheck: 'false', label: 'Sample data as JSON', value: JSON.stringify(samples, null, 2) });
		const sides = [['Published', published], ['Draft', draft]].map(([name, it]) => ({ it, place: h('div.look'), name }));
		const show = () => {
			let data;
			try {
				data = JSON.parse(field.value || '{}');
				field.classList.remove('wrong');
			} catch {
				return field.classList.add('wrong');
			}
			for (const { it, place: at } of sides) {
				if (!it) fill(at, empty('Not published yet'));
				else preview(at, { to: ANYBODY, data, content: it.content, ...(it.brand?.id && { brand_id: it.brand.id }) }, channel);
			}
		};
		on(field, 'input', paced(300, show));
		const isSame = published && JSON.stringify(published.content) === JSON.stringify(draft.content);
		fill(place, h('div.page',
			h('header.page-top', h('h2', draft.name || id), idWithCopy(id, 'template’s id'), draft.alias && h('span.pill', `event ${draft.alias}`), h('span.grow'),
				isSame ? h('span.dim', 'The draft is what is published') : button('Publish the draft', () => post(`${path}/publish`), 'It is published', () => template(id), '.primary')),
			h('p.dim', [draft.brand?.id && `Brand ${draft.brand.id}`, draft.subscription?.topic_id && `topic ${draft.subscription.topic_id}`, versions.length > 1 ? counted(versions.length - 1, 'version') : 'never published', draft.updated && `changed ${ago(draft.updated)}`].filter(Boolean).join(' · ')),
			h('div.bar', choice('Channel', CHANNEL_NAMES.map((it) => [it, [icon(it), channelWord(it)]]), channel, (name) => {
				channel = name;
				show();
			})),
			h('div.sides', sides.filter(({ name }) => !isSame || name === 'Published').map(({ name, place: at }) => h('section', h('h3', isSame ? 'Published, and the draft' : name), at))),
			h('div.sides', h('section', h('h3', 'Sample data'), field), h('section', h('h3', 'Content'), json(draft.content, 'Content')))));
		show();
	}
	async function brand(id) {
		const it = await get(`/brands/${part(id)}`);
		const colors = Object.entries(it.settings?.colors ?? {});
		const at = h('div.look');
		fill(place, h('div.page', h('header.page-top', h('h2', it.name), idWithCopy(id, 'brand’s id')),
			h('div.swatches', colors.map(([name, color]) => h('span', h('i', { style: { background: color } }), name, ' ', h('code', color)))),
			h('div.sides', h('section', h('h3', 'An e-mail in its frame'), at), h('section', h('h3', 'Settings'), json(it.settings ?? {}, 'Settings')))));
		preview(at, { to: ANYBODY, brand_id: id, content: { version: '2022-01-01', elements: [{ type: 'meta', title: 'Hello from ' + it.name }, { type: 'text', content: 'This is how a message looks.', text_style: 'h1' }, { type: 'text', content: 'With some words below, and a button.' }, { type: 'action', content: 'A button', href: 'https://example.com' }] } }, 'email');
	}
	async function load(to) {
		const [found, known] = await Promise.all([attempt(() => get('/notifications', { limit: 500 })), attempt(() => get('/brands', { limit: 500 }))]);
		[templates, brands] = [found?.results ?? [], known?.results ?? []];
		paintNames(to);
		if (!to.id && templates[0]) go(['templates', templates[0].id], {}, true);
		else if (!to.id && brands[0]) go(['templates', 'brand', brands[0].id], {}, true);
		else if (!to.id) fill(place, empty('No templates and no brands', h('p', 'What POST /notifications and POST /brands store is shown here. A seed file can bring them: bulkd --seed fixtures.json')));
	}
	function update(to) {
		paintNames(to);
		const name = `${to.id}/${to.sub}`;
		if (name === shown || !to.id) return;
		shown = name;
		place.scrollTop = 0;
		attempt(() => (to.id === 'brand' && to.sub ? brand(to.sub) : template(to.id))).then((done) => {
			if (!done) fill(place, empty('There is nothing of this name'));
		});
	}
	load(first);
	update(first);
	return { update };
}
