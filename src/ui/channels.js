// A message as its recipient sees it, by channel. What a provider was given is read; none of it becomes markup.

import { frame } from './api.js';
import { attempt, chosenIn, fill, h, icon, pairs, region } from './dom.js';
import { counted, exactly, providerWord } from './words.js';

// Of a request that is told with its HTTP around it, the body.
const sent = (entry) => entry.request?.body ?? entry.request ?? {};

const link = (url, text) => (/^(https?|mailto):/i.test(url) ? h('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, text) : h('span', { title: url }, text));

const entities = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

const SLACK = /`([^`\n]+)`|\*([^*\n]+)\*|_([^_\n]+)_|~([^~\n]+)~|<([^|>\n]+)(?:\|([^>\n]+))?>/;
const MARKDOWN = /`([^`\n]+)`|\*\*([^\n]+?)\*\*|(?<![\w*])[*_]([^*_\n]+)[*_](?![\w*])|~~([^~\n]+)~~|\[([^\]\n]+)\]\(([^)\n]+)\)|\\([!-/:-@[-`{-~])/;

function inline(text, kind) {
	const out = [];
	const pattern = kind === 'slack' ? SLACK : MARKDOWN;
	const plain = kind === 'slack' ? entities : (it) => it;
	let rest = text;
	for (let match = pattern.exec(rest); match; match = pattern.exec(rest)) {
		out.push(plain(rest.slice(0, match.index)));
		rest = rest.slice(match.index + match[0].length);
		const [, mono, bold, italic, struck, first, second, escaped] = match;
		if (mono) out.push(h('code', plain(mono)));
		else if (bold) out.push(h('b', inline(bold, kind)));
		else if (italic) out.push(h('i', inline(italic, kind)));
		else if (struck) out.push(h('s', inline(struck, kind)));
		else if (escaped) out.push(escaped);
		else if (kind === 'slack') out.push(/^[@#!]/.test(first) ? h('span.mention', `@${plain(second ?? first.slice(1))}`) : link(first, plain(second ?? first)));
		else out.push(link(second, first));
	}
	out.push(plain(rest));
	return out;
}

function rich(text, kind) {
	return (text ?? '').split('\n').map((line) => {
		const heading = kind === 'markdown' && /^(#{1,3}) (.*)/.exec(line);
		if (heading) return h(`div.h${heading[1].length}`, inline(heading[2], kind));
		const small = kind === 'markdown' && /^-# (.*)/.exec(line);
		if (small) return h('div.subtle', inline(small[1], kind));
		const quote = /^(?:>|&gt;) ?(.*)/.exec(line);
		if (quote) return h('blockquote', inline(quote[1], kind));
		return h('div', line ? inline(line, kind) : '\u00a0');
	});
}

// What stands for a picture that is not loaded.
const picture = (alt, url) => h('div.picture', { title: url ?? '' }, icon('templates'), alt || 'Picture');

function email(entry) {
	const frames = h('div.mail-frame');
	const bar = h('div.bar');
	const wrap = h('div.mail', bar, frames);
	const state = { width: 'desktop', scheme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', form: 'html', images: false };
	let path = null;
	const html = entry.html ?? '';
	const hasRemote = /(src|background|srcset)\s*=\s*["']?\s*https?:|url\(\s*["']?https?:/i.test(html);
	const show = async () => {
		const { width, scheme, form, images } = state;
		Object.assign(wrap.dataset, { width, scheme });
		if (form === 'text') return fill(frames, region('plain', 'Text', plainText(entry)));
		if (form === 'headers') return fill(frames, headers(entry));
		if (form === 'source') return fill(frames, region('plain.source', 'HTML source', html));
		path ??= frame(html);
		const at = await attempt(() => path);
		if (typeof at !== 'string') return (path = null);
		fill(frames, h('iframe', { sandbox: '', title: `E-mail: ${entry.subject ?? ''}`, referrerpolicy: 'no-referrer', src: `${at}?scheme=${scheme}${images ? '&images=true' : ''}` }));
	};
	fill(bar,
		chosenIn(state, 'form', 'Form', [['html', 'E-mail'], ['text', 'Text'], ['headers', 'Headers'], ['source', 'HTML']], show),
		h('span.grow'),
		hasRemote && h('button', { title: 'To load them tells their senders that somebody looks', onclick: (event) => {
			state.images = true;
			event.target.remove();
			show();
		} }, 'Show remote images'),
		chosenIn(state, 'width', 'Width', [['desktop', 'Desktop'], ['phone', 'Phone']], show),
		chosenIn(state, 'scheme', 'Colours', [['light', 'Light'], ['dark', 'Dark']], show));
	show();
	return wrap;
}

// The text part, as the provider was given it.
function plainText(entry) {
	const parts = sent(entry)?.content;
	const part = Array.isArray(parts) ? parts.find((it) => it.type === 'text/plain')?.value : undefined;
	return part ?? sent(entry)?.text ?? entry.body ?? '';
}

function headers(entry) {
	const body = sent(entry);
	const person = (it) => (typeof it === 'string' ? it : it?.name ? `${it.name} <${it.email}>` : (it?.email ?? JSON.stringify(it)));
	const people = (it) => (Array.isArray(it) ? it.map(person).join(', ') : it ? person(it) : undefined);
	const to = body.personalizations?.[0] ?? body;
	const lines = [
		['From', people(body.from)], ['To', people(to.to) ?? entry.address], ['Cc', people(to.cc)], ['Bcc', people(to.bcc)],
		['Reply-To', people(body.reply_to ?? body.replyTo)], ['Subject', entry.subject], ...Object.entries(body.headers ?? {}),
	];
	return pairs(lines.filter(([, value]) => value).map(([name, value]) => [name, String(value)]), 'wide');
}

function sms(entry) {
	const { count: parts = 1, encoding = '' } = entry.segments ?? {};
	return h('div.phone',
		h('div.phone-top', h('span.face', icon('sms')), h('span', sent(entry).From ?? sent(entry).from ?? 'Your sender')),
		h('div.bubble', entry.body),
		h('p.phone-note', { title: 'A phone network carries an SMS in parts, and each is paid for' },
			`${counted(parts, 'segment')} · ${encoding} · ${counted([...(entry.body ?? '')].length, 'character')}`));
}

function push(entry) {
	const body = sent(entry);
	const note = body.message?.notification ?? body.aps?.alert ?? body;
	const { created_at: at } = entry;
	const image = body.message?.notification?.image ?? body.data?.image ?? body.richContent?.image;
	return h('div.phone.lock',
		h('div.lock-time', { 'aria-hidden': 'true' }, exactly(at).slice(11, 16)),
		h('div.lock-day', { 'aria-hidden': 'true' }, new Date(at).toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' })),
		h('div.note', h('span.app', icon('push')),
			h('div', h('div.note-top', h('span', 'Your app'), h('span', 'now')),
				(note.title ?? entry.subject) && h('b', note.title ?? entry.subject), h('div', note.body ?? entry.body), image && picture('Picture', image))));
}

function inbox(entry) {
	const body = sent(entry);
	return h('div.feed',
		h('div.feed-top', 'Inbox', h('span.badge', '1')),
		h('div.feed-item', h('i.dot', { 'aria-hidden': 'true' }),
			h('div', h('b', body.title ?? entry.subject ?? ''), h('div.feed-text', body.preview ?? body.body ?? entry.body),
				h('div.acts', (body.actions ?? []).map((it) => h(it.style === 'link' ? 'span.linkish' : 'span.btn', { title: it.href ?? '' }, it.content)))),
			h('time', 'now')));
}

function slackBlock(block) {
	const text = (it) => (it?.type === 'plain_text' ? it.text : rich(it?.text ?? '', 'slack'));
	switch (block.type) {
		case 'header': return h('div.h1', text(block.text));
		case 'section': return h('div', text(block.text));
		case 'context': return h('div.subtle', (block.elements ?? []).map(text));
		case 'divider': return h('hr');
		case 'image': return picture(block.alt_text, block.image_url);
		case 'actions': return h('div.acts', (block.elements ?? []).map((it) => h(`span.btn.${it.style ?? ''}`, { title: it.url ?? '' }, text(it.text))));
		default: return h('div.subtle', `[${block.type}]`);
	}
}

function cardElement(it) {
	if (it.type === 'TextBlock') return h(`div.${it.weight === 'Bolder' ? 'strong' : ''}.${it.isSubtle ? 'subtle' : ''}.${/Large/.test(it.size ?? '') ? 'h2' : ''}`, rich(it.text, 'markdown'));
	if (it.type === 'Image') return picture(it.altText, it.url);
	if (it.type === 'ActionSet') return h('div.acts', (it.actions ?? []).map((action) => h('span.btn', { title: action.url ?? '' }, action.title)));
	const items = it.items ?? it.columns ?? it.body;
	return items ? h('div', items.map(cardElement)) : h('hr');
}

function chat(entry) {
	const body = sent(entry);
	const { provider } = entry;
	const card = body.attachments?.[0]?.content;
	const content = provider === 'msteams' && card
		? h('div.card-in', (card.body ?? []).map(cardElement), card.actions && cardElement({ type: 'ActionSet', actions: card.actions }))
		: provider === 'discord' ? h('div', rich(body.content ?? entry.body, 'markdown'), (body.embeds ?? []).map((it) => h('div.card-in', it.title && h('b', it.title), rich(it.description ?? '', 'markdown'))))
		: body.blocks ? body.blocks.map(slackBlock)
		: h('div', entry.subject && h('div.h1', entry.subject), rich(body.text ?? entry.body, provider === 'slack' ? 'slack' : 'markdown'));
	return h(`div.chat.${provider}`,
		h('div.chat-top', icon('direct_message'), entry.address, h('span.dim', providerWord(provider))),
		h('div.chat-line', h('span.bot', { 'aria-hidden': 'true' }, 'A'),
			h('div.chat-body', h('div.chat-who', h('b', 'Your app'), h('small', provider === 'slack' ? 'APP' : 'BOT'), h('time', exactly(entry.created_at).slice(11, 16))), content)));
}

function other(entry) {
	return h('div.other', entry.subject && h('h3', entry.subject), region('plain', 'Text', entry.body));
}

const BY_CHANNEL = { email, sms, push, inbox, direct_message: chat };

export function seen(entry) {
	return h(`div.seen.seen-${entry.channel}`, (BY_CHANNEL[entry.channel] ?? other)(entry));
}
