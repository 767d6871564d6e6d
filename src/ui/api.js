// The daemon's API, as everyone else uses it.

const KEY = 'bulkd-key';

// Whose environment is looked at: by its key, or, where any key is accepted, by its handle.
export const access = {
	key: null,
	environment: null,
};

// What a page without an environment says it is: the first thing that it makes is in this one.
const FIRST_KEY = 'anything';

class ApiError extends Error {
	constructor(status, message, body) {
		super(message);
		this.status = status;
		this.body = body;
	}
}

export function rememberedKey() {
	try {
		return sessionStorage.getItem(KEY);
	} catch {
		return null;
	}
}

export function useKey(key) {
	access.key = key;
	try {
		if (key === null) sessionStorage.removeItem(KEY);
		else sessionStorage.setItem(KEY, key);
	} catch {
		// Then it is asked for again.
	}
}

export function headers() {
	if (access.key !== null) return { authorization: `Bearer ${access.key}` };
	if (access.environment !== null) return { 'x-bulkd-environment': access.environment };
	return { authorization: `Bearer ${FIRST_KEY}` };
}

// What is called when the key is not accepted.
let refused = () => {};
export function onRefused(then) {
	refused = then;
}

export async function call(method, path, body, options = {}) {
	const answer = await fetch(path, {
		method,
		headers: { 'x-bulkd-page': '1', ...headers(), ...(body !== undefined && { 'content-type': 'application/json' }) },
		body: body === undefined ? undefined : JSON.stringify(body),
		signal: options.signal,
		cache: 'no-store',
	}).catch((error) => {
		if (error.name === 'AbortError') throw error;
		throw new ApiError(0, 'bulkd does not answer: is it still running?', null);
	});
	const text = await answer.text();
	let value = null;
	try {
		value = text ? JSON.parse(text) : null;
	} catch {
		value = text;
	}
	if (!answer.ok) {
		if (answer.status === 401) refused();
		throw new ApiError(answer.status, value?.message ?? `${method} ${path}: ${answer.status}`, value);
	}
	return value;
}

export const get = (path, query, signal) => call('GET', path + queryOf(query), undefined, { signal });
export const post = (path, body) => call('POST', path, body);
export const put = (path, body) => call('PUT', path, body);
export const del = (path) => call('DELETE', path);

export function queryOf(query) {
	const given = Object.entries(query ?? {}).filter(([, value]) => (value ?? '') !== '');
	return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : '';
}

export const part = (text) => encodeURIComponent(text);

// Where HTML can be looked at that runs nothing.
export async function frame(html) {
	return (await post('/_bulkd/frames', { html })).path;
}

export const base = () => location.origin;
export const shownKey = '$COURIER_API_KEY';
