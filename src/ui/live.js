// What happens, as it happens. Of all tabs of an environment one that is seen holds the stream, and tells the others: a browser
// has six connections to a host.

import { access, headers } from './api.js';
import { on } from './dom.js';

// Between attempts to connect.
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 4000;

// `kinds` are those of all events.
const nothing = () => ({ jobs: new Map(), made: 0, changed: new Map(), kinds: new Set(), missed: false });

const listeners = new Map();
let [news, isDue, lastId, turn] = [nothing(), false, '', 0];
/** @type {any} */
let [channel, stopping] = [null, null];
/** @type {any} */
let say;

// Tells what happens, for as long as this element is shown.
export const listen = (element, listener) => listeners.set(listener, element);

export const onState = (then) => (say = then);

// However much happens, the page is told of it once a frame.
function schedule() {
	if (isDue) return;
	isDue = true;
	requestAnimationFrame(() => {
		const told = news;
		[news, isDue] = [nothing(), false];
		for (const [listener, element] of listeners) {
			if (element.isConnected) listener(told);
			else listeners.delete(listener);
		}
	});
}

function take({ event, id = '', data }) {
	if (event === 'state') return document.hidden || say(data);
	if (id) lastId = id;
	news.kinds.add(event);
	if (event === 'job') {
		for (const job of data.jobs) news.jobs.set(job.job_id, job);
		news.missed ||= !!data.more;
	} else if (event === 'message') {
		news.made += data.count;
		for (const { message_id, status } of data.changed ?? []) news.changed.set(message_id, status);
	} else if (event === 'resync') news.missed = true;
	schedule();
}

function tell(it) {
	channel?.postMessage(it);
	take(it);
}

async function read(body) {
	const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
	let text = '';
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return;
		const events = (text + value).split('\n\n');
		text = events.pop() ?? '';
		for (const it of events) {
			const { event, id, data } = Object.fromEntries(it.split('\n').map((line) => line.split(/: (.*)/)));
			if (event && data) tell({ event, id, data: JSON.parse(data) });
		}
	}
}

async function follow(signal) {
	let pause = FIRST_PAUSE;
	while (!signal.aborted) {
		try {
			const answer = await fetch('/_bulkd/events', { headers: { ...headers(), ...(lastId && { 'last-event-id': lastId }) }, signal, cache: 'no-store' });
			if (answer.ok && answer.body) {
				tell({ event: 'state', data: 'on' });
				pause = FIRST_PAUSE;
				await read(answer.body);
			}
		} catch {
			// The daemon has gone, or the tab is hidden.
		}
		if (signal.aborted) return;
		tell({ event: 'state', data: 'off' });
		await new Promise((resolve) => setTimeout(resolve, pause));
		pause = Math.min(pause * 2, LONGEST_PAUSE);
	}
}

// Waits for its turn to hold the stream.
function enter() {
	if (stopping || !channel) return;
	stopping = new AbortController();
	const { signal } = stopping;
	const { name } = channel;
	if (!navigator.locks) return follow(signal);
	navigator.locks.request(name, { signal }, () => follow(signal)).catch(() => {});
	// Another tab may hold it, and tells this one.
	return navigator.locks.query().then(({ held }) => held?.some((lock) => lock.name === name) && say('on'));
}

function leave() {
	stopping?.abort();
	stopping = null;
}

// Tabs with another key hear nothing of this one.
async function nameOfEnvironment() {
	if (access.key === null) return `bulkd-${access.environment}`;
	// Only localhost and https can make a hash.
	if (!crypto.subtle) return `bulkd-${Math.random()}`;
	const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(access.key));
	return `bulkd-${new Uint8Array(hash, 0, 12)}`;
}

export function close() {
	turn++;
	leave();
	channel?.close();
	channel = null;
	say('off');
}

export async function open() {
	close();
	const mine = turn;
	const name = await nameOfEnvironment();
	if (mine !== turn) return;
	lastId = '';
	channel = new BroadcastChannel(name);
	channel.onmessage = ({ data }) => take(data);
	if (!document.hidden) enter();
}

on(document, 'visibilitychange', () => {
	if (document.hidden) {
		leave();
		say('paused');
	} else if (channel) {
		// What has come meanwhile is not told again.
		news.missed = true;
		schedule();
		enter();
	}
});
