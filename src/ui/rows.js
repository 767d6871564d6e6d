// <bulkd-rows>: a list of any length of which only what is seen exists. Rows have one height. Where all of them together
// would be taller than browsers can scroll, the scroll bar stands for more than it is long.

import { h, on } from './dom.js';

// Browsers stop at some 33 million pixels, and one of them at half of that.
const TALLEST = 16_000_000;
// Rows that are kept ready above and below.
const AROUND = 6;

class Rows extends HTMLElement {
	count = 0;
	height = 48;
	// The row that is chosen, -1 without one.
	at = -1;
	// Behind the last row that exists.
	last = 0;
	/** @type {(index: any) => any} */
	render;
	shown = new Map();
	isDue = false;
	layer = h('div.rows-layer', { role: 'presentation' });
	spacer = h('div.rows-spacer', { role: 'presentation' });

	connectedCallback() {
		if (this.firstChild) return;
		this.tabIndex = 0;
		this.setAttribute('role', 'listbox');
		this.append(this.layer, this.spacer);
		on(this, 'scroll', () => this.draw());
		on(this, 'keydown', (event) => this.key(event));
		on(this, 'click', (event) => {
			const row = event.target.closest('[role=option]');
			if (!row) return;
			this.choose(Number(row.dataset.at), true);
			this.emit('open');
		});
		new ResizeObserver(() => this.draw()).observe(this);
	}

	get whole() {
		return this.count * this.height;
	}

	get spacerHeight() {
		return Math.min(this.whole, TALLEST);
	}

	// How far can be scrolled: in pixels of rows, and of the element.
	get ways() {
		return [this.whole - this.clientHeight, this.spacerHeight - this.clientHeight];
	}

	// Pixels of the rows above the first that is seen.
	get offset() {
		const [room, real] = this.ways;
		return real <= 0 || room <= 0 ? 0 : Math.min(room, (this.scrollTop / real) * room);
	}

	set offset(offset) {
		const [room, real] = this.ways;
		this.scrollTop = room <= 0 ? 0 : (Math.max(0, Math.min(room, offset)) / room) * real;
	}

	resize(count) {
		this.count = count;
		this.at = Math.min(this.at, count - 1);
		this.refresh();
	}

	// So many rows have come before all others, and what is seen stays where it is.
	unshift(more) {
		const { offset } = this;
		if (this.at >= 0) this.at += more;
		this.forget(this.count + more);
		this.offset = offset + more * this.height;
		this.draw();
	}

	refresh() {
		this.forget(this.count);
		this.draw();
	}

	forget(count) {
		this.count = count;
		for (const row of this.shown.values()) row.remove();
		this.shown.clear();
		this.spacer.style.height = `${this.spacerHeight}px`;
	}

	// Makes what is seen anew, at the next frame.
	later() {
		if (this.isDue) return;
		this.isDue = true;
		requestAnimationFrame(() => {
			this.isDue = false;
			this.refresh();
		});
	}

	draw() {
		const { clientHeight, height, offset, shown, layer } = this;
		if (!clientHeight) return;
		Object.assign(layer.style, { height: `${clientHeight}px`, marginBottom: `${-clientHeight}px` });
		const first = Math.max(0, Math.floor(offset / height) - AROUND);
		this.last = Math.min(this.count, Math.ceil((offset + clientHeight) / height) + AROUND);
		for (const [index, row] of shown) {
			if (index >= first && index < this.last) continue;
			row.remove();
			shown.delete(index);
		}
		for (let index = first; index < this.last; index++) {
			let row = shown.get(index);
			if (!row) {
				row = h('div.row', { role: 'option', id: `${this.id}-${index}`, data: { at: index }, style: { height: `${height}px` }, 'aria-setsize': this.count, 'aria-posinset': index + 1 }, this.render(index));
				shown.set(index, row);
				layer.append(row);
			}
			row.ariaSelected = String(index === this.at);
			row.style.transform = `translateY(${index * height - offset}px)`;
		}
		if (shown.has(this.at)) this.setAttribute('aria-activedescendant', `${this.id}-${this.at}`);
		else this.removeAttribute('aria-activedescendant');
		this.dispatchEvent(new CustomEvent('drawn'));
	}

	choose(index, isQuiet) {
		if (!this.count) return;
		this.at = Math.max(0, Math.min(this.count - 1, index));
		this.reveal();
		this.draw();
		if (!isQuiet) this.emit('move');
	}

	// Scrolls no further than to the row that is chosen.
	reveal() {
		const [above, below] = [this.at * this.height, (this.at + 1) * this.height - this.clientHeight];
		if (this.at >= 0) this.offset = Math.min(above, Math.max(below, this.offset));
	}

	step(by) {
		this.choose(this.at < 0 ? Math.floor(this.offset / this.height) : this.at + by);
	}

	emit(name, isKey) {
		if (this.at >= 0) this.dispatchEvent(new CustomEvent(name, { detail: { isKey }, bubbles: true }));
	}

	key(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const page = Math.max(1, Math.floor(this.clientHeight / this.height) - 1);
		const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
		if (by) this.step(by);
		else if (event.key === 'Home') this.choose(0);
		else if (event.key === 'End') this.choose(this.count - 1);
		else if (event.key === 'Enter') this.emit('open', true);
		else return;
		event.preventDefault();
		event.stopPropagation();
	}
}

customElements.define('bulkd-rows', Rows);

export function rows(id, label, height, render, listeners = {}) {
	const list = /** @type {any} */ (document.createElement('bulkd-rows'));
	list.setAttribute('aria-label', label);
	for (const [name, listener] of Object.entries(listeners)) on(list, name, listener);
	return Object.assign(list, { id, height, render });
}

// Fewer than these are filled up by the next page, and so is a list whose end is as near as that.
const ENOUGH = 30;
const NEAR = 20;

// Items of a list that are looked up page by page. There is one question at a time, and the answer to one that was replaced is
// dropped: whatever comes when, an item is there once.
export class Feed {
	items = [];
	cursor = null;
	isWhole = false;
	// Whether the first page is to be asked for, and whether there is something newer than it.
	isOld = false;
	isBehind = false;
	isBusy = false;
	// Pages that were looked through since the first, and since the last that had anything.
	looked = 0;
	idle = 0;
	// Items that have come before those that are seen.
	unseen = 0;
	error = '';
	stopping = new AbortController();
	list;
	ask;
	// What the owner may say otherwise: how entries become items, which of them is open, the question for what is newer than
	// these, how many pages without anything are enough, and what is done when something has changed.
	join = (items, entries) => items.concat(entries);
	isOpen = () => false;
	newer = null;
	patience = Infinity;
	told = () => {};

	constructor(list, ask, owner) {
		Object.assign(this, { list, ask }, owner);
		on(list, 'drawn', () => {
			if (this.unseen !== Infinity && this.unseen && this.isAtTop) {
				this.unseen = 0;
				this.told();
			}
			this.run();
		});
	}

	get isAtTop() {
		return this.list.offset < 8;
	}

	// From the first page on, by what is asked now.
	restart() {
		this.stopping.abort();
		this.stopping = new AbortController();
		Object.assign(this, { isOld: true, isBehind: false, unseen: 0 });
		this.told();
		return this.run();
	}

	// Something newer is there.
	renew() {
		this.isBehind = true;
		this.run();
	}

	close() {
		this.stopping.abort();
	}

	async run() {
		if (this.isBusy) return;
		this.isBusy = true;
		this.idle = 0;
		while (await this.step());
		this.isBusy = false;
	}

	async step() {
		const { items, list, stopping: { signal } } = this;
		// Nobody looks any more.
		if (signal.aborted) return false;
		if (this.isBehind && !(this.newer && items.length)) this.isOld = true;
		const [isFirst, isNewer] = [this.isOld, this.isBehind && !this.isOld];
		const isShort = !this.isWhole && this.cursor && this.idle < this.patience && (items.length < ENOUGH || list.last > items.length - NEAR);
		if (!isFirst && !isNewer && !isShort) return false;
		this.isBehind = false;
		try {
			const { items: entries, paging } = await this.ask(isNewer ? this.newer(items) : { cursor: isFirst ? null : this.cursor }, signal);
			if (signal.aborted) return true;
			if (isNewer) this.before(this.join([], entries), paging.more);
			else {
				[this.cursor, this.isWhole, this.isOld, this.error] = [paging.cursor ?? null, !paging.more, false, ''];
				this.looked = isFirst ? 1 : this.looked + 1;
				const known = isFirst ? 0 : items.length;
				this.items = this.join(isFirst ? [] : items, entries);
				this.idle = this.items.length > known ? 0 : this.idle + 1;
				if (isFirst) list.at = this.items.findIndex(this.isOpen);
				if (isFirst || this.idle === 0) list.resize(this.items.length);
			}
		} catch (error) {
			if (signal.aborted) return true;
			// What it was newer than is gone.
			if (isNewer && error.status) this.isOld = true;
			else if (isFirst) {
				Object.assign(this, { items: [], isWhole: true, isOld: false, error: error.status === 404 ? '' : error.message });
				list.resize(0);
			}
			this.told();
			return isNewer && !!error.status;
		}
		this.told();
		return true;
	}

	// These have come before the others. Too many for one page are shown when they are asked for.
	before(found, isMore) {
		const { items, list } = this;
		const isRead = !this.isAtTop || list.at >= 0;
		if (isMore) {
			if (isRead) this.unseen = Infinity;
			else this.isOld = true;
		} else if (found.length) {
			this.items = found.concat(items);
			if (isRead) {
				this.unseen += found.length;
				list.unshift(found.length);
			} else list.resize(this.items.length);
		}
	}
}

// Pages of a long list, looked up where they are seen.
export class Pages {
	size;
	load;
	changed;
	wanted;
	pages = new Map();
	asked = new Set();
	// Pages of which there is something newer, and which are shown until that is here.
	old = new Set();

	constructor(size, load, changed, wanted) {
		Object.assign(this, { size, load, changed, wanted });
	}

	get(index) {
		const page = Math.floor(index / this.size);
		const found = this.pages.get(page);
		if (!found || this.old.has(page)) this.ask(page);
		return found?.[index - page * this.size];
	}

	ask(page) {
		const { asked, pages } = this;
		if (asked.has(page)) return;
		asked.add(page);
		// A page that has been scrolled over by then is not asked for.
		setTimeout(async () => {
			const isWanted = this.wanted(page);
			if (isWanted) this.old.delete(page);
			const items = isWanted && (await this.load(page * this.size, this.size).catch(() => null));
			// Another list was chosen meanwhile.
			if (this.asked !== asked) return;
			asked.delete(page);
			if (!items) return;
			pages.set(page, items);
			if (pages.size > 60) pages.delete(pages.keys().next().value);
			this.changed();
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
		[this.pages, this.asked, this.old] = [new Map(), new Set(), new Set()];
	}
}
