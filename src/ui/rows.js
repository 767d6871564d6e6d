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
	/** @type {(index: any) => any} */
	render;
	shown = new Map();
	isDue = false;

	connectedCallback() {
		if (this.layer) return;
		this.tabIndex = 0;
		this.setAttribute('role', 'listbox');
		this.layer = h('div.rows-layer', { role: 'presentation' });
		this.spacer = h('div.rows-spacer', { role: 'presentation' });
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

	get spacerHeight() {
		return Math.min(this.whole, TALLEST);
	}

	// How many rows there are; those that are seen are made anew.
	resize(count) {
		this.count = count;
		if (this.at >= count) this.at = count - 1;
		this.refresh();
	}

	// So many rows have come before all others, and what is seen stays where it is.
	unshift(more) {
		const offset = this.offset;
		this.count += more;
		if (this.at >= 0) this.at += more;
		this.forget();
		this.place();
		this.offset = offset + more * this.height;
		this.draw();
	}

	refresh() {
		this.forget();
		this.place();
		this.draw();
	}

	forget() {
		for (const row of this.shown.values()) row.remove();
		this.shown.clear();
	}

	place() {
		if (this.spacer) this.spacer.style.height = `${this.spacerHeight}px`;
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
		if (!this.layer || !this.clientHeight) return;
		this.layer.style.height = `${this.clientHeight}px`;
		this.layer.style.marginBottom = `${-this.clientHeight}px`;
		const offset = this.offset;
		const first = Math.max(0, Math.floor(offset / this.height) - AROUND);
		const last = Math.min(this.count, Math.ceil((offset + this.clientHeight) / this.height) + AROUND);
		for (const [index, row] of this.shown) {
			if (index < first || index >= last) {
				row.remove();
				this.shown.delete(index);
			}
		}
		for (let index = first; index < last; index++) {
			let row = this.shown.get(index);
			if (!row) {
				row = h('div.row', { role: 'option', id: `${this.id}-${index}`, data: { at: index }, 'aria-setsize': this.count, 'aria-posinset': index + 1 }, this.render(index));
				row.style.height = `${this.height}px`;
				this.shown.set(index, row);
				this.layer.append(row);
			}
			row.setAttribute('aria-selected', String(index === this.at));
			row.style.transform = `translateY(${index * this.height - offset}px)`;
		}
		if (this.shown.has(this.at)) this.setAttribute('aria-activedescendant', `${this.id}-${this.at}`);
		else this.removeAttribute('aria-activedescendant');
		this.dispatchEvent(new CustomEvent('drawn', { detail: { first, last } }));
	}

	choose(index, quiet) {
		if (!this.count) return;
		this.at = Math.max(0, Math.min(this.count - 1, index));
		this.reveal(this.at);
		this.draw();
		if (!quiet) this.emit('move');
	}

	reveal(index) {
		const [top, bottom, offset] = [index * this.height, (index + 1) * this.height, this.offset];
		if (top < offset) this.offset = top;
		else if (bottom > offset + this.clientHeight) this.offset = bottom - this.clientHeight;
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
		const keys = {
			ArrowDown: () => this.step(1),
			ArrowUp: () => this.step(-1),
			PageDown: () => this.step(page),
			PageUp: () => this.step(-page),
			Home: () => this.choose(0),
			End: () => this.choose(this.count - 1),
			Enter: () => this.emit('open', true),
		};
		const act = keys[event.key];
		if (!act) return;
		event.preventDefault();
		event.stopPropagation();
		act();
	}
}

customElements.define('bulkd-rows', Rows);

export function rows(id, label, height, render) {
	const list = /** @type {any} */ (document.createElement('bulkd-rows'));
	list.id = id;
	list.setAttribute('aria-label', label);
	list.height = height;
	list.render = render;
	return list;
}

// Pages of a long list, looked up where they are seen.
export class Pages {
	pages = new Map();
	asked = new Set();

	constructor(size, load, changed) {
		this.size = size;
		this.load = load;
		this.changed = changed;
	}

	get(index) {
		const page = Math.floor(index / this.size);
		const found = this.pages.get(page);
		if (!found || this.old.has(page)) this.ask(page);
		return found?.[index - page * this.size];
	}

	ask(page) {
		if (this.asked.has(page)) return;
		this.asked.add(page);
		// A page that has been scrolled over by then is not asked for.
		setTimeout(async () => {
			if (!this.wanted(page)) return this.asked.delete(page);
			const items = await this.load(page * this.size, this.size).catch(() => null);
			this.asked.delete(page);
			if (items === null) return;
			this.pages.set(page, items);
			this.old.delete(page);
			if (this.pages.size > 60) this.pages.delete(this.pages.keys().next().value);
			this.changed();
		}, 40);
	}

	// Whether a page is still looked at.
	/** @type {(page: any) => boolean} */
	wanted = () => true;

	// Pages of which there is something newer, and which are shown until that is here.
	old = new Set();

	/** @param {(items: any) => any} [which] */
	renew(which = () => true) {
		for (const [page, items] of this.pages) if (which(items)) this.old.add(page);
	}

	clear() {
		this.old.clear();
		this.pages.clear();
	}
}
