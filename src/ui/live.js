// What happens, as it happens. Of all tabs that show an environment one holds the stream, and tells the others: a browser has
// six connections to a host. The stream is closed while the tab is hidden, and another tab takes its place.

import { access, headers } from './api.js';
import { on } from './dom.js';

// `kinds` are those of all other events.
const nothing = () => ({ jobs: new Map(), made: 0, changed: new Map(), kinds: new Set(), missed: false });

// Between attempts to connect.
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 4000;

// Tabs with another key hear nothing of this one.
async function nameOfEnvironment() {
	if (access.key === null) return `bulkd-${access.environment}`;
	// Only a page of this machine, or one that came by https, can make a hash.
	if (!crypto.subtle) return `bulkd-${Math.random()}`;
	const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(access.key));
	return `bulkd-${new Uint8Array(hash, 0, 12)}`;
}

class Live {
	listeners = new Map();
	/** @type {any} */
	onState;
	held = nothing();
	isHeld = false;
	lastId = '';
	turn = 0;
	channel = null;
	stopping = null;
	state = 'off';
	// Messages that were made, by the second.
	made = [];

	constructor() {
		on(document, 'visibilitychange', () => {
			if (document.hidden) {
				this.leave();
				this.say('paused');
			} else if (this.channel) {
				// What has come meanwhile is not told again.
				this.held.missed = true;
				this.schedule();
				this.enter();
			}
		});
		setInterval(() => this.say(this.state), 1000);
	}

	async open() {
		this.close();
		const turn = ++this.turn;
		const name = await nameOfEnvironment();
		if (turn !== this.turn) return;
		this.lastId = '';
		this.channel = new BroadcastChannel(name);
		this.channel.onmessage = ({ data }) => this.take(data);
		if (!document.hidden) this.enter();
	}

	close() {
		this.turn++;
		this.leave();
		this.channel?.close();
		this.channel = null;
		this.say('off');
	}

	// Waits for its turn to hold the stream.
	enter() {
		if (this.stopping || !this.channel) return;
		const stopping = new AbortController();
		this.stopping = stopping;
		const { name } = this.channel;
		const hold = () => this.follow(stopping.signal);
		if (!navigator.locks) hold();
		else {
			navigator.locks.request(name, { signal: stopping.signal }, hold).catch(() => {});
			// Another tab holds it, and tells this one.
			navigator.locks.query().then(({ held }) => {
				if (held?.some((lock) => lock.name === name)) this.say('on');
			});
		}
	}

	leave() {
		this.stopping?.abort();
		this.stopping = null;
	}

	async follow(signal) {
		let pause = FIRST_PAUSE;
		while (!signal.aborted) {
			try {
				const resume = this.lastId && { 'last-event-id': this.lastId };
				const answer = await fetch('/_bulkd/events', { headers: { ...headers(), ...resume }, signal, cache: 'no-store' });
				if (answer.ok && answer.body) {
					this.tell({ event: 'state', data: 'on' });
					pause = FIRST_PAUSE;
					await this.read(answer.body);
				}
			} catch {
				// The daemon has gone, or the tab is hidden.
			}
			if (signal.aborted) return;
			this.tell({ event: 'state', data: 'off' });
			await new Promise((resolve) => setTimeout(resolve, pause));
			pause = Math.min(pause * 2, LONGEST_PAUSE);
		}
	}

	async read(body) {
		const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
		let text = '';
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			text += value;
			const events = text.split('\n\n');
			text = events.pop() ?? '';
			for (const it of events) {
				const { event, id = '', data } = Object.fromEntries(it.split('\n').map((line) => line.split(/: (.*)/)));
				if (event && data) this.tell({ event, id, data: JSON.parse(data) });
			}
		}
	}

	take({ event, id = '', data }) {
		if (event === 'state') return document.hidden || this.say(data);
		if (id) this.lastId = id;
		const { held } = this;
		if (event === 'job') {
			for (const job of data.jobs) held.jobs.set(job.job_id, job);
			if (data.more) held.missed = true;
		} else if (event === 'message') {
			held.made += data.count;
			for (const { message_id, status } of data.changed ?? []) held.changed.set(message_id, status);
			this.made.push([performance.now(), data.count]);
		} else if (event === 'resync') held.missed = true;
		else held.kinds.add(event);
		this.schedule();
	}

	// However much happens, the page is told of it once a frame.
	schedule() {
		if (this.isHeld) return;
		this.isHeld = true;
		requestAnimationFrame(() => {
			this.isHeld = false;
			const news = this.held;
			this.held = nothing();
			for (const [listener, element] of this.listeners) {
				if (element.isConnected) listener(news);
				else this.listeners.delete(listener);
			}
		});
	}

	// The same to all tabs.
	tell(it) {
		this.channel?.postMessage(it);
		this.take(it);
	}

	say(state) {
		this.state = state;
		const now = performance.now();
		this.made = this.made.filter(([at]) => now - at < 2000);
		this.onState(state, Math.round(this.made.reduce((sum, [, n]) => sum + n, 0) / 2));
	}

	// Tells what happens, for as long as this element is shown.
	listen(element, listener) {
		this.listeners.set(listener, element);
	}
}

export const live = new Live();
