// A message as its recipient sees it, by channel. What a provider was given is read; none of it becomes markup.

import { post } from './api.js';
import { attempt, choice, dim, fill, grow, h, icon, pairs, region, tag, counted, exactly, providerWord } from './dom.js';

// Of a request that is told with its HTTP around it, the body.
const sent = (entry) => entry.request?.body ?? entry.request ?? {};

const out = (url, text) => (/^(https?|mailto):/i.test(url) ? h('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, text) : h('span', { title: url }, text));

const entities = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

const SLACK = /`([^`\n]+)`|\*([^*\n]+)\*|_([^_\n]+)_|~([^~\n]+)~|<([^|>\n]+)(?:\|([^>\n]+))?>/g;
const MARKDOWN = /`([^`\n]+)`|\*\*([^\n]+?)\*\*|(?<![\w*])[*_]([^*_\n]+)[*_](?![\w*])|~~([^~\n]+)~~|\[([^\]\n]+)\]\(([^)\n]+)\)|\\([!-/:-@[-`{-~])/g;

function marked([, mono, bold, italic, struck, first, second, escaped], plain, kind) {
	if (mono) return h('code', plain(mono));
	const tag = bold ? 'b' : italic ? 'i' : 's';
	if (bold ?? italic ?? struck) return h(tag, inline(bold ?? italic ?? struck, kind));
	if (escaped) return escaped;
	if (kind !== 'slack') return out(second, first);
	const shown = plain(second ?? first);
	return /^[@#!]/.test(first) ? h('span.mention', `@${second ? shown : shown.slice(1)}`) : out(first, shown);
}

function inline(text, kind) {
	const [pattern, plain] = kind === 'slack' ? [SLACK, entities] : [MARKDOWN, (it) => it];
	const shown = [];
	let from = 0;
	for (const match of text.matchAll(pattern)) {
		shown.push(plain(text.slice(from, match.index)), marked(match, plain, kind));
		from = match.index + match[0].length;
	}
	return [...shown, plain(text.slice(from))];
}

// Lines, of which some begin with what they are.
const rich = (text, kind) => (text ?? '').split('\n').map((line) => {
	const [, hashes, , quote, rest] = /^(?:(#{1,3}) |(-# )|((?:>|&gt;) ?))(.*)/.exec(line) ?? [];
	if (quote) return h('blockquote', inline(rest, kind));
	if (rest === undefined || kind !== 'markdown') return h('div', line ? inline(line, kind) : '\u00a0');
	return h(hashes ? `div.h${hashes.length}` : 'div.subtle', inline(rest, kind));
});

const picture = (alt, url) => h('.picture', { title: url ?? '' }, icon('templates'), alt || 'Picture');

const REMOTE = /(src|background|srcset)\s*=\s*["']?\s*https?:|url\(\s*["']?https?:/i;

function email(entry) {
	const [frames, bar] = [h('.mail-frame'), h('.bar')];
	const wrap = h('.mail.card', bar, frames);
	const state = { width: 'desktop', scheme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', form: 'html' };
	const html = entry.html ?? '';
	let [path, images] = [null, ''];
	const show = async () => {
		const { width, scheme, form } = state;
		Object.assign(wrap.dataset, { width, scheme });
		if (form === 'text') return fill(frames, region('plain', 'Text', plainText(entry)));
		if (form === 'headers') return fill(frames, headers(entry));
		path ??= (await attempt(() => post('/_bulkd/frames', { html })))?.path;
		if (path) fill(frames, h('iframe', { sandbox: '', title: `E-mail: ${entry.subject ?? ''}`, referrerpolicy: 'no-referrer', src: `${path}?scheme=${scheme}${images}` }));
	};
	fill(bar,
		choice(state, 'form', 'Form', [['html', 'E-mail'], ['text', 'Text'], ['headers', 'Headers']], show), grow(),
		REMOTE.test(html) && h('button', { title: 'Their senders learn that somebody looks', onclick: (event) => {
			images = '&images=true';
			event.target.remove();
			show();
		} }, 'Show remote images'),
		choice(state, 'width', 'Width', [['desktop', 'Desktop'], ['phone', 'Phone']], show),
		choice(state, 'scheme', 'Colours', [['light', 'Light'], ['dark', 'Dark']], show));
	show();
	return wrap;
}

// The text part, as the provider was given it.
function plainText(entry) {
	const { content, text } = sent(entry);
	const part = Array.isArray(content) && content.find((it) => it.type === 'text/plain')?.value;
	return part || (text ?? entry.body ?? '');
}

function headers(entry) {
	const body = sent(entry);
	const person = (it) => (it?.email ? `${it.name ?? ''} <${it.email}>`.replace(/^ <(.*)>$/, '$1') : typeof it === 'string' ? it : JSON.stringify(it));
	const people = (it) => it && [it].flat().map(person).join(', ');
	const to = body.personalizations?.[0] ?? body;
	const lines = [
		['From', people(body.from)], ['To', people(to.to) ?? entry.address], ['Cc', people(to.cc)], ['Bcc', people(to.bcc)],
		['Reply-To', people(body.reply_to ?? body.replyTo)], ['Subject', entry.subject], ...Object.entries(body.headers ?? {}),
	];
	return pairs(lines.filter(([, value]) => value).map(([name, value]) => [name, String(value)]), 'wide');
}

function sms(entry) {
	const { count: parts = 1, encoding = '' } = entry.segments ?? {};
	return h('.phone',
		h('.phone-top', h('span.avatar', icon('sms')), sent(entry).From ?? sent(entry).from ?? 'Your sender'),
		h('.bubble', entry.body),
		h('p.subtle', { title: 'Each segment is paid for' },
			`${counted(parts, 'segment')} · ${encoding} · ${counted([...(entry.body ?? '')].length, 'character')}`));
}

function push(entry) {
	const body = sent(entry);
	const note = body.message?.notification ?? body.aps?.alert ?? body;
	const [title, at] = [note.title ?? entry.subject, entry.created_at];
	return h('.phone.lock',
		h('.lock-time', { 'aria-hidden': 'true' }, exactly(at).slice(11, 16)),
		h('div', { 'aria-hidden': 'true' }, new Date(at).toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' })),
		h('.note', h('span.avatar.app', icon('push')),
			h('div', h('.line', h('span', 'Your app'), h('span', 'now')),
				title && h('b', title), h('div', note.body ?? entry.body))));
}

function inbox(entry) {
	const body = sent(entry);
	return h('.feed.card',
		h('.box-top', 'Inbox', tag('', '1')),
		h('.feed-item', h('i.dot', { 'aria-hidden': 'true' }),
			h('div', h('b', body.title ?? entry.subject ?? ''), h('div', body.preview ?? body.body ?? entry.body),
				h('.acts', (body.actions ?? []).map((it) => h(it.style === 'link' ? 'span.linkish' : 'span.btn', { title: it.href ?? '' }, it.content)))),
			h('time', 'now')));
}

function slackBlock(block) {
	const text = (it) => (it?.type === 'plain_text' ? it.text : rich(it?.text ?? '', 'slack'));
	switch (block.type) {
		case 'header': return h('.h1', text(block.text));
		case 'section': return h('div', text(block.text));
		case 'context': return h('.subtle', (block.elements ?? []).map(text));
		case 'divider': return h('hr');
		case 'image': return picture(block.alt_text, block.image_url);
		case 'actions': return h('.acts', (block.elements ?? []).map((it) => h(`span.btn.${it.style ?? ''}`, { title: it.url ?? '' }, text(it.text))));
		default: return h('.subtle', `[${block.type}]`);
	}
}

function cardElement(it) {
	if (it.type === 'TextBlock') return h(`.${it.weight === 'Bolder' ? 'strong' : ''}.${it.isSubtle ? 'subtle' : ''}.${/Large/.test(it.size ?? '') ? 'h2' : ''}`, rich(it.text, 'markdown'));
	if (it.type === 'Image') return picture(it.altText, it.url);
	if (it.type === 'ActionSet') return h('.acts', (it.actions ?? []).map((action) => h('span.btn', { title: action.url ?? '' }, action.title)));
	const items = it.items ?? it.columns ?? it.body;
	return items ? h('div', items.map(cardElement)) : h('hr');
}

function chat(entry) {
	const body = sent(entry);
	const { provider } = entry;
	const card = body.attachments?.[0]?.content;
	const content = provider === 'msteams' && card
		? h('.card.card-in', (card.body ?? []).map(cardElement), card.actions && cardElement({ type: 'ActionSet', actions: card.actions }))
		: provider === 'discord' ? h('div', rich(body.content ?? entry.body, 'markdown'), (body.embeds ?? []).map((it) => h('.card.card-in', it.title && h('b', it.title), rich(it.description ?? '', 'markdown'))))
		: body.blocks ? body.blocks.map(slackBlock)
		: h('div', entry.subject && h('.h1', entry.subject), rich(body.text ?? entry.body, provider === 'slack' ? 'slack' : 'markdown'));
	return h(`.chat.card.${provider}`,
		h('.box-top', icon('direct_message'), entry.address, dim(providerWord(provider))),
		h('.said', h('span.avatar.app', { 'aria-hidden': 'true' }, 'A'),
			h('div', h('.line', h('b', 'Your app'), h('small', provider === 'slack' ? 'APP' : 'BOT'), h('time', exactly(entry.created_at).slice(11, 16))), content)));
}

const other = (entry) => h('div', entry.subject && h('h3', entry.subject), region('plain', 'Text', entry.body));

const BY_CHANNEL = { email, sms, push, inbox, direct_message: chat };

export const seen = (entry) => h('.seen', (BY_CHANNEL[entry.channel] ?? other)(entry));
