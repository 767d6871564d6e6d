// A job by hand: what is said, who gets it, how it looks for one of them, and the same as code.

import { address, go } from './app.js';
import { access, base, get, part, post, quoted } from './api.js';
import { attempt, chosenIn, empty, fill, h, icon, languages, on, paced, select, toast } from './dom.js';
import { preview, storedTemplates } from './templates.js';
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
	const known = new Map();
	const checked = (line, user, shown) => {
		if (!user || typeof user !== 'object' || Array.isArray(user)) return { line, error: 'expected an object', text: shown };
		const profile = { ...user.profile, ...user.to };
		const { email, phone_number: phone } = profile;
		const recipient = user.recipient ?? user.to?.user_id ?? user.user_id ?? profile.user_id ?? email ?? phone;
		const error = email !== undefined && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email) ? `‘${email}’ is no e-mail address`
			: phone !== undefined && !/^\+?[\d\s().-]{5,}$/.test(phone) ? `‘${phone}’ is no phone number`
			: !recipient ? 'neither user_id nor an address'
			: known.has(recipient) ? `‘${recipient}’ is on line ${known.get(recipient)} already` : '';
		if (error) return { line, error, text: shown };
		known.set(recipient, line);
		return { line, user: { recipient, ...user }, recipient };
	};
	const parsed = (line, text) => {
		try {
			return checked(line, JSON.parse(text), text);
		} catch {
			return { line, error: 'not JSON', text };
		}
	};
	if (/^\s*\[/.test(text)) {
		try {
			return JSON.parse(text).map((it, at) => checked(at + 1, it, JSON.stringify(it)));
		} catch (error) {
			return [{ line: 1, error: `not JSON: ${error.message}`, text: text.slice(0, 80) }];
		}
	}
	if (/^\s*\{/.test(text)) return text.split('\n').map((it, at) => it.trim() && parsed(at + 1, it)).filter(Boolean);
	const [head, ...body] = cells(text);
	const names = head?.row.map((it) => it.trim());
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
			else {
				if (PROFILE.has(name)) profile[name] = value;
				if (name !== 'email' && name !== 'phone_number') data[name] = /^-?\d{1,15}(\.\d+)?$/.test(value) ? Number(value) : value;
			}
		});
		return checked(line, { ...user, profile, data }, shown);
	});
}

// What stays while another view is looked at.
const kept = { from: 'content', template: '', title: 'Hello {{name}}', body: 'You are on the {{plan}} plan.', event: '', text: SAMPLE, channel: 'email', chosen: 0 };

export function open(root, first) {
	kept.template = first.params.template || kept.template;
	let [users, isBusy] = [[], false];
	const good = () => users.filter((it) => it.user);
	const [shown, coded, what] = [h('div.look'), h('div'), h('div.fields')];
	const told = h('p.state', { role: 'status' });
	const pick = () => {
		kept.chosen = table.at;
		show();
	};
	const table = rows('compose-users', 'Users that were read', 34, (at) => row(users[at]), { move: pick, open: pick });
	const run = h('button.primary.big', { onclick: () => attempt(send) });
	const bar = h('div.progress', { hidden: true }, h('i'));
	const isWithTemplate = () => kept.from === 'template';

	const definition = () => ({
		...(kept.event && { event: kept.event }),
		message: isWithTemplate() ? { template: kept.template } : { content: { title: kept.title, body: kept.body } },
	});
	const row = (it) => (it.error
		? [h('span.num', it.line), h('span.pill.bad', 'Left out'), h('span.what', it.error, h('span.dim', ` — ${it.text}`))]
		: [h('span.num', it.line), h('b.who', it.recipient), h('span.what.dim', [it.user.profile?.email ?? it.user.profile?.phone_number, JSON.stringify(it.user.data ?? it.user.to?.data ?? {})].filter(Boolean).join('  '))]);
	const show = paced(200, async () => {
		const it = users[kept.chosen]?.user ?? good()[0]?.user;
		fill(coded, languages(snippets(), 'Copy the code'));
		if (!it) fill(shown, empty('No user to show it for'));
		else if (isWithTemplate() && !kept.template) fill(shown, empty('Choose a template'));
		else await preview(shown, { ...definition().message, to: { user_id: it.recipient, ...it.profile, ...it.to }, data: { ...it.data, ...it.to?.data } }, kept.channel);
	});
	function snippets() {
		const some = good().slice(0, 2).map((it) => it.user);
		const [text, added] = [definition(), some].map((it) => JSON.stringify(it, null, 4));
		const body = (it) => quoted(JSON.stringify(it));
		return {
			Python: `from courier import Courier\n\ncourier = Courier()\njob_id = courier.bulk.create_job(message=${text}).job_id\ncourier.bulk.add_users(job_id, users=${added})\ncourier.bulk.run_job(job_id)`,
			Node: `import Courier from "@trycourier/courier";\n\nconst courier = new Courier();\nconst { jobId } = await courier.bulk.createJob({ message: ${text} });\nawait courier.bulk.addUsers(jobId, { users: ${added} });\nawait courier.bulk.runJob(jobId);`,
			curl: `post() { curl -s ${base()}$1 -H "Authorization: Bearer $COURIER_API_KEY" -H 'Content-Type: application/json' -d "$2"; }\njob=$(post /bulk '${body({ message: definition() })}' | sed 's/.*"jobId":"\\([^"]*\\).*/\\1/')\npost /bulk/$job '${body({ users: some })}'\npost /bulk/$job/run '{}'`,
		};
	}
	function tell() {
		const [fit, bad] = [good().length, users.length - good().length];
		fill(told, counted(fit, 'user'), bad > 0 && h('b.bad', `, ${counted(bad, 'row')} left out`));
		fill(run, icon('play'), fit ? `Send to ${counted(fit, 'user')}` : 'Send');
		run.disabled = isBusy || !fit || (isWithTemplate() && !kept.template);
	}
	function read() {
		users = readUsers(kept.text);
		users.sort((a, b) => Number(!!b.error) - Number(!!a.error) || a.line - b.line);
		kept.chosen = table.at = users.findIndex((it) => it.user);
		table.resize(users.length);
		tell();
		show();
	}
	const readLater = paced(150, read);
	const who = h('textarea', { rows: 6, spellcheck: 'false', label: 'Users as CSV or JSON lines', value: kept.text, oninput: () => {
		kept.text = who.value;
		readLater();
	} });
	const take = async (file) => {
		if (!file) return;
		kept.text = await file.text();
		// A field is no place for a million lines.
		who.readOnly = kept.text.length >= 200_000;
		who.value = who.readOnly ? `${kept.text.slice(0, 2000)}\n…` : kept.text;
		read();
	};
	const input = h('input.sr', { type: 'file', accept: '.csv,.json,.jsonl,.ndjson,.txt', tabindex: -1, label: 'A file of users', onchange: () => take(input.files[0]) });
	const drop = h('div.drop', who);
	for (const name of ['dragover', 'dragleave', 'drop']) on(drop, name, () => drop.classList.toggle('over-it', name === 'dragover'));
	on(drop, 'drop', (event) => take(event.dataTransfer.files[0]));

	const set = (name) => (value) => {
		kept[name] = value;
		tell();
		show();
	};
	const paintWhat = paced(0, async () => {
		const bind = (name) => ({ value: kept[name], oninput: (event) => set(name)(event.target.value) });
		if (isWithTemplate()) {
			const all = await storedTemplates();
			kept.template ||= all[0]?.id ?? '';
			fill(what, all.length ? h('label', 'Template', select('Template', all.map((it) => [it.id, it.name || it.id]), kept.template, set('template'), '')) : h('p.dim', 'No template is stored here.'));
		} else fill(what, h('label', 'Title', h('input', bind('title'))), h('label', 'Text', h('textarea', { rows: 4, ...bind('body') })));
		tell();
		show();
	});
	async function send() {
		isBusy = true;
		tell();
		bar.hidden = false;
		try {
			const { jobId } = await post('/bulk', { message: definition() });
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
				const { items } = await get('/_bulkd/environments?limit=1000');
				location.assign(address(['jobs', jobId], { env: items[0]?.environment }));
				location.reload();
			}
		} finally {
			isBusy = false;
			bar.hidden = true;
			tell();
		}
	}

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
			h('h2', 'The same as code'), coded))));
	paintWhat();
	read();
	return { update() {} };
}
