// A job by hand: what is said, who gets it, how it looks for one of them, and the same as code.

import { go } from './app.js';
import { part, post, quoted } from './api.js';
import { attempt, byChannel, choice, dim, empty, fill, h, languages, on, paced, select, tag, toast, CHANNEL_NAMES, count, counted } from './dom.js';
import { preview, storedTemplates } from './templates.js';
import { Rows, rows } from './rows.js';

const BATCH = 500;
// A field is no place for a million lines.
const LONGEST_SHOWN = 200_000;
// Members of a user's profile: all else of a row is data.
const PROFILE = ['email', 'phone_number', 'locale', 'firebaseToken', 'apn', 'expo', 'slack', 'ms_teams', 'discord', 'webhook', 'name', 'given_name', 'family_name'];
const COLUMNS = { user_id: 'recipient', phone: 'phone_number' };
const SAMPLE = 'user_id,email,name,plan\nada,ada@example.com,Ada,Team\ngrace,grace@example.com,Grace,Free';

const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

// A cell of CSV, as RFC 4180 has it: in quotes or not, and what it ends with.
const CELL = /(?:"((?:[^"]|"")*)"|([^",;\t\n][^,;\t\n]*)?)[^\S\n\t]*([,;\t\n]|$)/g;

function cells(text) {
	const out = [];
	let [row, line, begun] = [[], 1, 1];
	for (const [whole, quoted, plain = '', end] of text.matchAll(CELL)) {
		row.push(quoted?.replaceAll('""', '"') ?? plain);
		line += whole.split('\n').length - 1;
		if (end && end !== '\n') continue;
		if (row.length > 1 || row[0].trim()) out.push({ line: begun, row });
		[row, begun] = [[], line];
	}
	return out;
}

function userOf(names, row) {
	/** @type {any} */
	const user = { profile: {}, data: {} };
	names.forEach((column, at) => {
		const [name, value] = [COLUMNS[column] ?? column, row[at].trim()];
		if (!value) return;
		if (name === 'recipient') user.recipient = value;
		if (PROFILE.includes(name)) user.profile[name] = value;
		if (!['email', 'phone_number', 'recipient'].includes(name)) user.data[name] = /^-?\d{1,15}(\.\d+)?$/.test(value) ? Number(value) : value;
	});
	return user;
}

// Rows of a text: its line, and its user or what is wrong with it.
function parsed(text) {
	const json = (line, text) => {
		try {
			return { line, text, user: JSON.parse(text) };
		} catch (error) {
			return { line, text: text.slice(0, 80), error: `not JSON: ${error.message}` };
		}
	};
	if (/^\s*\[/.test(text)) {
		const whole = json(1, text);
		return whole.error ? [whole] : whole.user.map((user, at) => ({ line: at + 1, text: JSON.stringify(user), user }));
	}
	if (/^\s*\{/.test(text)) return text.split('\n').map((it, at) => json(at + 1, it)).filter((it) => it.text.trim());
	const lines = cells(text);
	const areAddresses = lines[0]?.row.every((it) => ADDRESS.test(it.trim()));
	const [head, ...body] = areAddresses ? [{ row: ['email'] }, ...lines.flatMap(({ line, row }) => row.map((it) => ({ line, row: [it] })))] : lines;
	const names = head?.row.map((it) => it.trim());
	if (names && (!body.length || names.some((it) => ADDRESS.test(it)))) return [{ line: 1, text: names.join(', '), error: 'the first line names the columns, like email,name' }];
	return body.map(({ line, row }) => ({
		line, text: row.join(', '),
		...(row.length === names.length ? { user: userOf(names, row) } : { error: `${counted(row.length, 'cell')}, and the first line has ${names.length}` }),
	}));
}

// Users of a text, and what is wrong with the others.
function readUsers(text) {
	const known = new Map();
	return parsed(text).map(({ user, ...it }) => {
		if (it.error) return it;
		if (!user || typeof user !== 'object' || Array.isArray(user)) return { ...it, error: 'expected an object' };
		const profile = { ...user.profile, ...user.to };
		const { email, phone_number: phone } = profile;
		const recipient = user.recipient ?? user.to?.user_id ?? user.user_id ?? profile.user_id ?? email ?? phone;
		const error = email !== undefined && !ADDRESS.test(email) ? `‘${email}’ is no e-mail address`
			: phone !== undefined && !/^\+?[\d\s().-]{5,}$/.test(phone) ? `‘${phone}’ is no phone number`
			: !recipient ? 'neither user_id nor an address'
			: known.has(recipient) ? `‘${recipient}’ is on line ${known.get(recipient)} already` : '';
		if (error) return { ...it, error };
		known.set(recipient, it.line);
		return { ...it, user: { recipient, ...user } };
	});
}

function userRow({ line, error, text, user }) {
	const number = h('span.num', line);
	if (error) return [number, tag('bad', 'Left out'), h('span.what', error, dim(` — ${text}`))];
	const { recipient, profile, data, to } = user;
	return [number, h('b.who', recipient), h('span.what', [profile?.email ?? profile?.phone_number, JSON.stringify(data ?? to?.data ?? {})].filter(Boolean).join('  '))];
}

function snippets(job, users) {
	const [message, added] = [job.message, users].map((it) => JSON.stringify(it, null, 4));
	const body = (it) => quoted(JSON.stringify(it));
	return {
		Python: `from courier import Courier

courier = Courier()
job_id = courier.bulk.create_job(message=${message}).job_id
courier.bulk.add_users(job_id, users=${added})
courier.bulk.run_job(job_id)`,
		curl: `post() { curl -s ${location.origin}$1 -H "Authorization: Bearer $COURIER_API_KEY" -H 'Content-Type: application/json' -d "$2"; }
job=$(post /bulk ${body(job)} | sed 's/.*"jobId":"\\([^"]*\\).*/\\1/')
post /bulk/$job ${body({ users })}
post /bulk/$job/run '{}'`,
	};
}

async function send(job, users, tell) {
	const { jobId } = await post('/bulk', job);
	const path = `/bulk/${part(jobId)}`;
	let refused = 0;
	for (let at = 0; at < users.length; at += BATCH) {
		const added = await post(path, { users: users.slice(at, at + BATCH) });
		refused += added?.errors?.length ?? 0;
		tell(Math.min(1, (at + BATCH) / users.length));
	}
	await post(`${path}/run`, {});
	toast(`Job started${refused ? `, ${count(refused)} were refused` : ''}`);
	go(['jobs', jobId]);
}

// What stays while another view is looked at.
const kept = { from: 'content', template: '', event: 'welcome', title: 'Hello {{name}}', body: 'You are on the {{plan}} plan.', text: SAMPLE, channel: 'email', chosen: 0 };

const isWithTemplate = () => kept.from === 'template';

const said = () => (isWithTemplate() ? { template: kept.template } : { content: { title: kept.title, body: kept.body } });

// Courier takes no job without an event.
const definition = () => ({ message: { event: isWithTemplate() ? kept.template : kept.event, ...said() } });

export function open(root, first) {
	kept.template = first.params.template || kept.template;
	let [users, isBusy] = [[], false];
	const [shown, coded, what, told, drop] = [h('.look'), h('div'), h('.fields'), h('p.state', { role: 'status' }), h('.drop')];
	const pick = () => {
		kept.chosen = table.at;
		show();
	};
	const table = rows(Rows, 'compose-users', 'Users that were read', 34, { row: userRow, move: pick, open: pick });
	const run = h('button.primary.big', { onclick: () => attempt(async () => {
		busy(true);
		await send(definition(), users, (done) => fill(run, `${Math.round(done * 100)} %`)).finally(() => busy(false));
	}) });
	const show = paced(200, async () => {
		const it = table.items[kept.chosen]?.user ?? users[0];
		fill(coded, languages(snippets(definition(), users.slice(0, 2)), 'code'));
		if (!it) fill(shown, empty('No user to show it for'));
		else if (isWithTemplate() && !kept.template) fill(shown, empty('Choose a template'));
		else await preview(shown, { ...said(), to: { user_id: it.recipient, ...it.profile, ...it.to }, data: { ...it.data, ...it.to?.data } }, kept.channel);
	});
	function tell() {
		const bad = table.items.length - users.length;
		fill(told, counted(users.length, 'user'), bad > 0 && h('b.bad', `, ${counted(bad, 'row')} left out`));
		fill(run, users.length ? `Send to ${counted(users.length, 'user')}` : 'Send');
		run.disabled = isBusy || !users.length || (isWithTemplate() && !kept.template);
		show();
	}
	function busy(is) {
		isBusy = is;
		tell();
	}
	function read() {
		const found = readUsers(kept.text);
		users = found.map((it) => it.user).filter(Boolean);
		table.items = found.sort((a, b) => Number(!!b.error) - Number(!!a.error) || a.line - b.line);
		kept.chosen = table.at = found.findIndex((it) => it.user);
		table.resize();
		tell();
	}
	const readLater = paced(150, read);
	const who = h('textarea', { rows: 6, spellcheck: 'false', label: 'Users as CSV or JSON lines', value: kept.text, oninput: () => {
		kept.text = who.value;
		readLater();
	} });
	const take = async (file) => {
		if (!file) return;
		kept.text = await file.text();
		who.readOnly = kept.text.length >= LONGEST_SHOWN;
		who.value = who.readOnly ? `${kept.text.slice(0, 2000)}\n…` : kept.text;
		read();
	};
	for (const name of ['dragover', 'dragleave', 'drop']) on(drop, name, () => drop.classList.toggle('over-it', name === 'dragover'));
	on(drop, 'drop', (event) => take(event.dataTransfer.files[0]));

	const set = (name, value) => {
		kept[name] = value;
		tell();
	};
	const field = (label, tag, name, props = {}) => h('label', label, h(tag, { ...props, value: kept[name], oninput: ({ target }) => set(name, target.value) }));
	const paintWhat = paced(0, async () => {
		if (isWithTemplate()) {
			const all = await storedTemplates();
			kept.template ||= all[0]?.id ?? '';
			fill(what, all.length ? h('label', 'Template', select('Template', all.map((it) => [it.id, it.name || it.id]), kept.template, (to) => set('template', to), '')) : h('p.dim', 'No template is stored here.'));
		} else fill(what, field('Event', 'input', 'event', { title: 'Courier asks for one' }), field('Title', 'input', 'title'), field('Text', 'textarea', 'body', { rows: 4 }));
		tell();
	});

	fill(root, h('.compose',
		h('section.page', h('h2', 'Compose a job'),
			h('h3', 'What is said'),
			choice(kept, 'from', 'Made of', [['content', 'Written here'], ['template', 'A template']], paintWhat), what,
			h('h3', 'Who gets it'),
			h('p.dim', 'Paste or drop CSV (first line: column names), JSON lines, or e-mail addresses. user_id, email and phone_number say who; the rest is data.'),
			drop, h('.bar', run, told), h('.list-body.card', table)),
		h('section.pane', h('.page',
			h('h3', 'How it looks for the chosen user'),
			choice(kept, 'channel', 'Channel', byChannel(CHANNEL_NAMES.slice(0, 5)), show), shown,
			h('h3', 'The same as code'), coded))));
	fill(drop, who);
	paintWhat();
	read();
	return { update() {} };
}
