// The daemon's API, as everyone else uses it.

const KEY = 'bulkd-key';
// Of a page without an environment yet: what it makes first is in this one.
const FIRST_KEY = 'anything';

// Which environment is looked at: by its key, or by its handle where any key is accepted.
export const access = { key: null, environment: null };

// Where the browser keeps nothing, the key is asked for again.
function stored(work) {
	try {
		return work(sessionStorage);
	} catch {
		return null;
	}
}

export const rememberedKey = () => stored((it) => it.getItem(KEY));

export function useKey(key) {
	access.key = key;
	stored((it) => (key === null ? it.removeItem(KEY) : it.setItem(KEY, key)));
}

export function headers() {
	if (access.key === null && access.environment !== null) return { 'x-bulkd-environment': access.environment };
	return { authorization: `Bearer ${access.key ?? FIRST_KEY}` };
}

let refused = () => {};
export const onRefused = (then) => (refused = then);

const failure = (status, message) => Object.assign(new Error(message), { status });

// Not everything is JSON.
export function valueOf(text) {
	try {
		return JSON.parse(text);
	} catch {
		return text || null;
	}
}

export async function call(method, path, body, signal = null) {
	const answer = await fetch(path, {
		method,
		headers: { 'x-bulkd-page': '1', ...headers(), ...(body !== undefined && { 'content-type': 'application/json' }) },
		body: JSON.stringify(body),
		signal,
		cache: 'no-store',
	}).catch((error) => {
		throw error.name === 'AbortError' ? error : failure(0, 'bulkd does not answer: is it still running?');
	});
	const value = valueOf(await answer.text());
	if (answer.ok) return value;
	if (answer.status === 401) refused();
	throw failure(answer.status, value?.message ?? `${method} ${path}: ${answer.status}`);
}

export const get = (path, query = {}, signal = null) => call('GET', path + queryOf(query), undefined, signal);
export const post = (path, body) => call('POST', path, body);
export const put = (path, body) => call('PUT', path, body);
export const del = (path) => call('DELETE', path);

export function queryOf(query) {
	const given = Object.entries(query).filter(([, value]) => (value ?? '') !== '');
	return given.length ? `?${new URLSearchParams(given)}` : '';
}

export const part = encodeURIComponent;

// In single quotes of a shell.
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export const curl = (path, body, key = '$COURIER_API_KEY') => `curl ${location.origin}${path} -H "Authorization: Bearer ${key}" \\
  -H 'Content-Type: application/json' -d ${quoted(body)}`;
