// Lists of which only what is seen exists. Rows have one height. Where all together are taller than browsers can scroll, the
// scroll bar is scaled.

import { h, on } from './dom.js';

// Browsers stop at some 33 million pixels, or at half of that.
const TALLEST = 16_000_000;
// Rows that are kept ready above and below.
const AROUND = 6;

const nothing = /** @type {any} */ (() => {});

export class Rows extends HTMLElement {
	items = [];
	count = 0;
	height = 0;
	at = -1;
	// Behind the last row that exists.
	last = 0;
	shown = new Map();
	isDue = false;
	layer = h('.rows-layer', { role: 'presentation' });
	spacer = h('div', { role: 'presentation' });
	// The owner says what a row shows, and what choosing and opening one does.
	row;
	move = nothing;
	open = nothing;

	connectedCallback() {
		if (this.firstChild) return;
		Object.assign(this, { className: 'rows', tabIndex: 0, role: 'listbox' });
		this.append(this.layer, this.spacer);
		on(this, 'scroll', () => this.draw());
		on(this, 'keydown', (event) => this.key(event));
		on(this, 'click', ({ target }) => {
			const row = target.closest('.row');
			if (!row) return;
			this.choose(Number(row.dataset.at), true);
			this.open(false);
		});
		new ResizeObserver(() => this.draw()).observe(this);
	}

	item(index) {
		return this.items[index];
	}

	get chosen() {
		return this.item(this.at);
	}

	get spacerHeight() {
		return Math.min(this.count * this.height, TALLEST);
	}

	// How far can be scrolled, in rows' pixels and the element's.
	get ways() {
		return [this.count * this.height, this.spacerHeight].map((it) => Math.max(0, it - this.clientHeight));
	}

	// Pixels of the rows above the first that is seen.
	get offset() {
		const [room, real] = this.ways;
		return real && Math.min(room, (this.scrollTop / real) * room);
	}

	set offset(offset) {
		const [room, real] = this.ways;
		this.scrollTop = room && (Math.max(0, Math.min(room, offset)) / room) * real;
	}

	// Of so many rows so many are new above the others: what is seen stays where it is.
	resize(count = this.items.length, above = 0) {
		const { offset } = this;
		if (this.at >= 0) this.at = Math.min(this.at + above, count - 1);
		this.count = count;
		for (const row of this.shown.values()) row.remove();
		this.shown.clear();
		this.spacer.style.height = `${this.spacerHeight}px`;
		if (above) this.offset = offset + above * this.height;
		this.draw();
	}

	later() {
		if (this.isDue) return;
		this.isDue = true;
		requestAnimationFrame(() => {
			this.isDue = false;
			this.resize(this.count);
		});
	}

	draw() {
		const { clientHeight, height, offset, shown } = this;
		if (!clientHeight) return;
		Object.assign(this.layer.style, { height: `${clientHeight}px`, marginBottom: `${-clientHeight}px` });
		const first = Math.max(0, Math.floor(offset / height) - AROUND);
		this.last = Math.min(this.count, Math.ceil((offset + clientHeight) / height) + AROUND);
		for (const [index, row] of shown) {
			if (index >= first && index < this.last) continue;
			row.remove();
			shown.delete(index);
		}
		for (let index = first; index < this.last; index++) {
			const row = shown.get(index) ?? this.make(index);
			row.ariaSelected = String(index === this.at);
			row.style.transform = `translateY(${index * height - offset}px)`;
		}
		if (shown.has(this.at)) this.setAttribute('aria-activedescendant', `${this.id}-${this.at}`);
		else this.removeAttribute('aria-activedescendant');
	}

	make(at) {
		const row = h('.row', { role: 'option', id: `${this.id}-${at}`, 'data-at': at, style: { height: `${this.height}px` }, 'aria-setsize': this.count, 'aria-posinset': at + 1 }, this.row(this.item(at), at));
		this.shown.set(at, row);
		this.layer.append(row);
		return row;
	}

	choose(index, isQuiet = false) {
		if (!this.count) return;
		this.at = Math.max(0, Math.min(this.count - 1, index));
		this.reveal();
		if (!isQuiet) this.move();
	}

	reveal() {
		const [above, below] = [this.at * this.height, (this.at + 1) * this.height - this.clientHeight];
		if (this.at >= 0) this.offset = Math.min(above, Math.max(below, this.offset));
		this.draw();
	}

	step(by) {
		this.choose(this.at < 0 ? Math.floor(this.offset / this.height) : this.at + by);
	}

	key(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const page = Math.max(1, Math.floor(this.clientHeight / this.height) - 1);
		const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
		if (by) this.step(by);
		else if (event.key === 'Home') this.choose(0);
		else if (event.key === 'End') this.choose(this.count - 1);
		else if (event.key !== 'Enter') return;
		else if (this.at >= 0) this.open(true);
		event.preventDefault();
		event.stopPropagation();
	}
}

// Fewer than these are filled up by the next page, and so is a list whose end is as near as that.
const ENOUGH = 30;
const NEAR = 20;

// A list whose items are looked up page by page. One question is asked at a time, and the answer to one that was replaced is
// dropped.
export class Feed extends Rows {
	cursor = null;
	isWhole = false;
	// Whether the first page is to be asked for, and whether there is something newer than it.
	isOld = false;
	isBehind = false;
	isBusy = false;
	// Pages without anything.
	idle = 0;
	unseen = 0;
	error = '';
	stopping = new AbortController();
	// The owner says what is asked, and may say how entries become items, which is open, what asks for newer ones, how many
	// empty pages are enough, and what a change does.
	ask;
	join = (items, entries) => items.concat(entries);
	isOpen = nothing;
	newer = null;
	patience = Infinity;
	told = nothing;

	get isAtTop() {
		return this.offset < 8;
	}

	draw() {
		super.draw();
		if (this.unseen && this.unseen !== Infinity && this.isAtTop) {
			this.unseen = 0;
			this.told();
		}
		this.run();
	}

	restart() {
		this.stopping.abort();
		this.stopping = new AbortController();
		Object.assign(this, { isOld: true, isBehind: false, unseen: 0 });
		this.told();
		return this.run();
	}

	renew() {
		this.isBehind = true;
		this.run();
	}

	async run() {
		if (this.isBusy) return;
		this.isBusy = true;
		this.idle = 0;
		while (await this.next());
		this.isBusy = false;
	}

	async next() {
		const { items, stopping: { signal } } = this;
		if (!this.isConnected) return false;
		if (this.isBehind && !(this.newer && items.length)) this.isOld = true;
		const [isFirst, isNewer] = [this.isOld, this.isBehind && !this.isOld];
		const isShort = !this.isWhole && this.cursor && this.idle < this.patience && (items.length < ENOUGH || this.last > items.length - NEAR);
		if (!isFirst && !isNewer && !isShort) return false;
		this.isBehind = false;
		try {
			const { items: entries, paging } = await this.ask(isNewer ? this.newer(items) : { cursor: isFirst ? null : this.cursor }, signal);
			if (signal.aborted) return true;
			if (isNewer) this.before(this.join([], entries), paging.more);
			else this.behind(entries, paging, isFirst);
			return true;
		} catch (error) {
			if (signal.aborted) return true;
			// What it was newer than is gone.
			if (isNewer && error.status) this.isOld = true;
			else if (isFirst) {
				Object.assign(this, { items: [], isWhole: true, isOld: false, error: error.status === 404 ? '' : error.message });
				this.resize();
			}
			return isNewer && !!error.status;
		} finally {
			if (!signal.aborted) this.told();
		}
	}

	behind(entries, paging, isFirst) {
		[this.cursor, this.isWhole, this.isOld, this.error] = [paging.cursor ?? null, !paging.more, false, ''];
		const before = isFirst ? [] : this.items;
		this.items = this.join(before, entries);
		this.idle = this.items.length > before.length ? 0 : this.idle + 1;
		if (isFirst) this.at = this.items.findIndex(this.isOpen);
		if (isFirst || !this.idle) this.resize();
	}

	// Newer ones. Too many for one page are shown when they are asked for.
	before(found, isMore) {
		const isRead = !this.isAtTop || this.at >= 0;
		if (isMore) {
			if (isRead) this.unseen = Infinity;
			else this.isOld = true;
		} else if (found.length) {
			this.items = found.concat(this.items);
			if (isRead) this.unseen += found.length;
			this.resize(this.items.length, isRead ? found.length : 0);
		}
	}
}

const PAGE = 100;
const MOST_PAGES = 60;

// A list that is looked up where it is seen, page by page, however long it is.
export class Pages extends Rows {
	pages = new Map();
	asked = new Set();
	// Pages that are shown until newer ones are here.
	old = new Set();
	// The owner looks up items, and may do something when they have come.
	load;
	came = nothing;

	item(index) {
		const page = Math.floor(index / PAGE);
		const found = this.pages.get(page);
		if (index >= 0 && (!found || this.old.has(page))) this.ask(page);
		return found?.[index - page * PAGE];
	}

	ask(page) {
		const { asked, pages } = this;
		if (asked.has(page)) return;
		asked.add(page);
		setTimeout(async () => {
			// A page that has been scrolled over by then is not asked for.
			const isSeen = this.isConnected && Math.abs(page * PAGE - this.offset / this.height) < 3 * PAGE;
			if (isSeen) this.old.delete(page);
			const items = isSeen && (await this.load(page * PAGE, PAGE).catch(() => null));
			// Another list was chosen meanwhile.
			if (this.asked !== asked) return;
			asked.delete(page);
			if (!items) return;
			pages.set(page, items);
			if (pages.size > MOST_PAGES) pages.delete(pages.keys().next().value);
			this.later();
			this.came();
		}, 40);
	}

	renew(which = null) {
		for (const [page, items] of this.pages) {
			if (which && !which(items)) continue;
			this.old.add(page);
			this.ask(page);
		}
	}

	clear() {
		[this.pages, this.asked, this.old, this.at] = [new Map(), new Set(), new Set(), -1];
		this.offset = 0;
	}
}

customElements.define('bulkd-rows', Rows);
customElements.define('bulkd-feed', Feed);
customElements.define('bulkd-pages', Pages);

export const rows = (Kind, id, ariaLabel, height, owner) => Object.assign(new Kind(), { id, ariaLabel, height, ...owner });
