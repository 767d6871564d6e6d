// A job by hand: what is said, who gets it, how it looks for one of them, and the same as code.

import { address, go } from './app.js';
import { access, base, get, part, post } from './api.js';
import { attempt, chosenIn, code, empty, fill, h, icon, on, options, paced, toast } from './dom.js';
import { preview } from './templates.js';
import { rows } from './rows.js';
import { CHANNEL_NAMES, channelWord, count, counted } from './words.js';

// Users in one call.
const BATCH = 500;
// Members of a user's profile: all else of a row is data.
const PROFILE = new Set(['email', 'phone_number', 'locale', 'firebaseToken', 'apn', 'expo', 'slack', 'ms_teams', 'discord', 'webhook', 'name', 'given_name', 'family_name']);
const SAMPLE = 'user_id,email,name,plan\nada,ada@example.com,Ada,Team\ngrace,grace@example.com,Grace,Free';

// Cells of CSV, as RFC 4180 has it, each row with the line it begins on.
function cells(text) {
	const out = [];
	let [row, cell, isQuoted, line, begun] = [[], '', false, 1, 1];
	const end = () => {
		row.push(cell);
		if (row.length > 1 || row[0].trim()) out.push({ line: begun, row });
		[row, cell, begun] = [[], '', line + 1];
	};
	for (let at = 0; at < text.length; at++) {
		const c = text[at];
		if (isQuoted) {
			if (c === '"' && text[at + 1] === '"') cell += text[++at];
			else if (c === '"') isQuoted = false;
			else cell += c;
		} else if (c === '"' && !cell) isQuoted = true;
		else if (c === ',' || c === '\t' || c === ';') {
			row.push(cell);
			cell = '';
		} else if (c === '\n') end();
		else if (c !== '\r') cell += c;
		if (c === '\n') line++;
	}
	if (cell || row.length) end();
	return out;
}

// Users of a text, and what is wrong with the others.
function readUsers(text) {
	const isJson = /^\s*[{[]/.test(text);
	const known = new Map();
	const checked = (line, user, shown) => {
		const profile = { ...user.profile, ...user.to };
		const recipient = user.recipient ?? user.to?.user_id ?? user.user_id ?? profile.user_id ?? profile.email ?? profile.phone_number;
		const wrong = profile.email !== undefined && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(profile.email) ? `‘${profile.email}’ is no e-mail address`
			: profile.phone_number !== undefined && !/^\+?[\d\s().-]{5,}$/.test(profile.phone_number) ? `‘${profile.phone_number}’ is no phone number`
			: !recipient ? 'neither user_id nor an address'
			: known.has(recipient) ? `‘${recipient}’ is on line ${known.get(recipient)} already` : '';
		if (wrong) return { line, error: wrong, text: shown };
		known.set(recipient, line);
		return { line, user: user.recipient ? user : { recipient, ...user }, recipient, text: shown };
	};
	if (isJson) {
		if (/^\s*\[/.test(text)) {
			try {
				return JSON.parse(text).map((it, at) => checked(at + 1, it, JSON.stringify(it)));
			} catch (error) {
				return [{ line: 1, error: `not JSON: ${error.message}`, text: text.slice(0, 80) }];
			}
		}
		return text.split('\n').map((it, at) => ({ it, line: at + 1 })).filter(({ it }) => it.trim()).map(({ it, line }) => {
			try {
				const user = JSON.parse(it);
				return user && typeof user === 'object' && !Array.isArray(user) ? checked(line, user, it) : { line, error: 'expected an object', text: it };
			} catch {
				return { line, error: 'not JSON', text: it };
			}
		});
	}
	const [head, ...body] = cells(text);
	if (!head) return [];
	const names = head.row.map((it) => it.trim());
	return body.map(({ line, row }) => {
		const shown = row.join(', ');
		if (row.length !== names.length) return { line, error: `${counted(row.length, 'cell')}, and the first line has ${names.length}`, text: shown };
		/** @type {any[]} */
		const [profile, data, user] = [{}, {}, {}];
		names.forEach((name, at) => {
			const value = row[at].trim();
			if (!value) return;
			if (name === 'user_id' || name === 'recipient') user.recipient = value;
			else if (name === 'phone') profile.phone_number = value;
			else if (PROFILE.has(name)) profile[name] = value;
			if (!['user_id', 'recipient', 'email', 'phone', 'phone_number'].includes(name)) data[name] = /^-?\d{1,15}(\.\d+)?$/.test(value) ? Number(value) : value;
		});
		return checked(line, { ...user, profile, data }, shown);
	});
}

// What stays while another view is looked at.
const kept = { from: 'content', template: '', title: 'Hello {{name}}', body: 'You are on the {{plan}} plan.', event: '', text: SAMPLE, channel: 'email', language: 'python', chosen: 0 };

export function open(root, first) {
	kept.template = first.params.get('template') || kept.template;
	let [users, isBusy] = [[], false];
	const good = () => users.filter((it) => it.user);
	const shown = h('div.look');
	const coded = h('div');
	const told = h('p.state', { role: 'status' });
	const what = h('div.fields');
	const table = rows('compose-users', 'Users that were read', 34, (at) => row(users[at]));
	const run = h('button.primary.big', { type: 'button' });
	const bar = h('div.progress', { hidden: true }, h('i.done'));

	const definition = () => ({
		message: {
			...(kept.event && { event: kept.event }),
			message: kept.from === 'template' ? { template: kept.template } : { content: { title: kept.title, body: kept.body } },
		},
	});
	function row(it) {
		return it.error
			? [h('span.num', it.line), h('span.pill.bad', 'Left out'), h('span.what', it.error, h('span.dim', ` — ${it.text}`))]
			: [h('span.num', it.line), h('b.who', it.recipient), h('span.what.dim', [it.user.profile?.email ?? it.user.profile?.phone_number, JSON.stringify(it.user.data ?? it.user.to?.data ?? {})].filter(Boolean).join('  '))];
	}
	const show = paced(200, () => {
		const it = users[kept.chosen]?.user ? users[kept.chosen] : good()[0];
		fill(coded, code(snippet(), 'Copy the code'));
		if (!it) return fill(shown, empty('No user to show it for'));
		const { recipient, profile, data, to } = it.user;
		const { message } = definition().message;
		if (kept.from === 'template' && !kept.template) fill(shown, empty('Choose a template'));
		else preview(shown, { ...message, to: { user_id: recipient, ...profile, ...to }, data: { ...data, ...to?.data } }, kept.channel);
	});
	function snippet() {
		const some = good().slice(0, 2).map((it) => it.user);
		const body = JSON.stringify(definition());
		if (kept.language === 'curl') return `post() { curl -s ${base()}$1 -H "Authorization: Bearer $COURIER_API_KEY" -H 'Content-Type: application/json' -d "$2"; }\njob=$(post /bulk '${body.replaceAll("'", "'\\''")}' | sed 's/.*"jobId":"\\([^"]*\\)".*/\\1/')\npost /bulk/$job '${JSON.stringify({ users: some }).replaceAll("'", "'\\''")}'\npost /bulk/$job/run '{}'`;
		const text = JSON.stringify(definition().message, null, 4);
		if (kept.language === 'node') return `import Courier from "@trycourier/courier";\n\nconst courier = new Courier();\nconst { jobId } = await courier.bulk.createJob({ message: ${text} });\nawait courier.bulk.addUsers(jobId, { users: ${JSON.stringify(some, null, 4)} });\nawait courier.bulk.runJob(jobId);`;
		return `from courier import Courier\n\ncourier = Courier()\njob_id = courier.bulk.create_job(message=${text}).job_id\ncourier.bulk.add_users(job_id, users=${JSON.stringify(some, null, 4)})\ncourier.bulk.run_job(job_id)`;
	}
	function count_() {
		const bad = users.length - good().length;
		fill(told, counted(good().length, 'user'), bad ? h('b.bad', `, ${counted(bad, 'row')} left out`) : '');
		fill(run, icon('play'), good().length ? `Send to ${counted(good().length, 'user')}` : 'Send');
		run.disabled = isBusy || !good().length || (kept.from === 'template' && !kept.template);
	}
	function read() {
		users = readUsers(kept.text);
		users.sort((a, b) => Number(!!b.error) - Number(!!a.error) || a.line - b.line);
		kept.chosen = users.findIndex((it) => it.user);
		table.at = kept.chosen;
		table.resize(users.length);
		count_();
		show();
	}
	const who = h('textarea', { rows: 6, spellcheck: 'false', label: 'Users as CSV or JSON lines', value: kept.text });
	const readLater = paced(150, read);
	on(who, 'input', () => {
		kept.text = who.value;
		readLater();
	});
	const take = async (file) => {
		if (!file) return;
		kept.text = await file.text();
		// A field is no place for a million lines.
		who.value = kept.text.length < 200_000 ? kept.text : `${kept.text.slice(0, 2000)}\n…`;
		who.readOnly = kept.text.length >= 200_000;
		read();
	};
	const input = h('input.sr', { type: 'file', accept: '.csv,.json,.jsonl,.ndjson,.txt', tabindex: -1, label: 'A file of users' });
	on(input, 'change', () => take(input.files[0]));
	const drop = h('div.drop', who);
	on(drop, 'dragover', () => drop.classList.add('over-it'));
	on(drop, 'dragleave', () => drop.classList.remove('over-it'));
	on(drop, 'drop', (event) => {
		drop.classList.remove('over-it');
		take(event.dataTransfer.files[0]);
	});
	const pick = () => {
		kept.chosen = table.at;
		show();
	};
	on(table, 'move', pick);
	on(table, 'open', pick);

	async function paintWhat() {
		const bind = (name) => ({ value: kept[name], oninput: (event) => {
			kept[name] = event.target.value;
			count_();
			show();
		} });
		if (kept.from === 'content') {
			fill(what, h('label', 'Title', h('input', bind('title'))), h('label', 'Text', h('textarea', { rows: 4, ...bind('body') })));
		} else {
			const found = await attempt(() => get('/notifications', { limit: 500 }));
			const all = found?.results ?? [];
			if (!kept.template) kept.template = all[0]?.id ?? '';
			fill(what, all.length ? h('label', 'Template', h('select', { onchange: (event) => {
				kept.template = event.target.value;
				show();
			} }, options(all.map((it) => [it.id, it.name || it.id]), kept.template))) : h('p.dim', 'No template is stored here.'));
		}
		count_();
		show();
	}
	on(run, 'click', () => attempt(async () => {
		isBusy = true;
		count_();
		bar.hidden = false;
		try {
			const { jobId } = await post('/bulk', definition());
			const all = good();
			let refused = 0;
			for (let at = 0; at < all.length; at += BATCH) {
				const added = await post(`/bulk/${part(jobId)}`, { users: all.slice(at, at + BATCH).map((it) => it.user) });
				refused += added?.errors?.length ?? 0;
				bar.firstElementChild.style.width = `${(Math.min(all.length, at + BATCH) / all.length) * 100}%`;
			}
			await post(`/bulk/${part(jobId)}/run`, {});
			toast(`It runs${refused ? `, ${count(refused)} were refused` : ''}`);
			if (access.environment || access.key) go(['jobs', jobId]);
			else {
				const { items } = await get('/_bulkd/environments');
				location.assign(`${address(['jobs', jobId])}?env=${items[0]?.environment ?? ''}`);
				location.reload();
			}
		} finally {
			isBusy = false;
			bar.hidden = true;
			count_();
		}
	}));

	fill(root, h('div.compose',
		h('section.page', h('h1', 'Compose a job'),
			h('h2', 'What is said'),
			chosenIn(kept, 'from', 'Made of', [['content', 'Written here'], ['template', 'A template']], paintWhat), what,
			h('h2', 'Who gets it'),
			h('p.dim', 'Paste or drop CSV with a first line of names, or a JSON object a line. user_id, email and phone_number say who; the rest is data. ', h('button.linkish', { onclick: () => input.click() }, 'Choose a file'), input),
			drop, told, h('div.list-body.card.read', table),
			h('div.acts', run), bar),
		h('section.pane', h('div.page',
			h('h2', 'How it looks for the chosen user'),
			chosenIn(kept, 'channel', 'Channel', CHANNEL_NAMES.slice(0, 5).map((it) => [it, [icon(it), channelWord(it)]]), show), shown,
			h('h2', 'The same as code'),
			chosenIn(kept, 'language', 'Language', [['python', 'Python'], ['node', 'Node'], ['curl', 'curl']], show), coded))));
	paintWhat();
	read();
	return { update() {} };
}
