// A daemon, a browser, and what the stories do with them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The page's files, where they are not those that were built in. */
const files = process.env.BULKD_PAGE_FILES ? ['--ui-dir', process.env.BULKD_PAGE_FILES] : [];

/** A daemon of its own, on a file that is thrown away. */
export async function start(binary, ...flags) {
  const daemon = spawn(binary, ['serve', '--ephemeral', '--listen', '127.0.0.1:0', '--log', 'warn', ...files, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = () => daemon.kill();
  process.on('exit', kill);
  const ended = once(daemon, 'exit').then(() => {
    throw new Error('bulkd has ended');
  });
  ended.catch(() => {});
  const [line] = await Promise.race([once(createInterface(daemon.stdout), 'line'), ended]);
  const [url] = /http:\/\/[\d.]+:\d+/.exec(line);
  const call = async (method, path, body, key = 'stories') => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`);
    return said ? JSON.parse(said) : undefined;
  };
  const stop = async () => {
    process.off('exit', kill);
    kill();
    await once(daemon, 'exit').catch(() => {});
  };
  return { url, call, stop };
}

/** A job of so many users. */
export async function job({ call }, users, { batch = 1000, message, user, run = true, key } = {}) {
  const definition = message ?? { event: 'weekly', content: { title: 'Hello {{name}}', body: 'Week {{week}} for {{name}}' }, data: { week: 12 } };
  const { jobId } = await call('POST', '/bulk', { message: definition }, key);
  const one = user ?? ((i) => ({ recipient: `reader-${i}`, profile: { email: `reader-${i}@example.com` }, data: { name: `Reader ${i}` } }));
  for (let at = 0; at < users; at += batch) {
    const some = Array.from({ length: Math.min(batch, users - at) }, (_, i) => one(at + i));
    await call('POST', `/bulk/${jobId}`, { users: some }, key);
  }
  if (run) await call('POST', `/bulk/${jobId}/run`, {}, key);
  return jobId;
}

/** Waits until a job is over. */
export const over = ({ call }, jobId, key) => call('POST', '/_bulkd/wait', { job_id: jobId, timeout_ms: 60000 }, key);
