// Some of everything that the page shows.

import { job, over } from './daemon.mjs';

const ELEMENTS = [
  { type: 'meta', title: 'Your {{month}} statement is ready' },
  { type: 'text', content: 'Hello {{name}}', text_style: 'h1' },
  { type: 'text', content: 'Your **{{plan}}** plan came to *{{amount}} euro* this month. Thank you for being with us.' },
  { type: 'quote', content: 'Nothing was late, and nothing was lost.' },
  { type: 'action', content: 'Read the statement', href: 'https://acme.example/statements/{{month}}' },
  { type: 'text', content: 'Questions? Just answer this e-mail.', text_style: 'subtext' },
];
export const SETTINGS = { colors: { primary: '#5b21b6', secondary: '#f3efff' }, email: { footer: { markdown: 'Acme Corp, 1 Road Runner Way' } } };

/** @returns the ids of messages by what they show */
export async function everything(daemon, key) {
  const call = (method, path, body) => daemon.call(method, path, body, key);
  await call('POST', '/brands', { id: 'acme', name: 'Acme Corp', settings: SETTINGS });
  const template = await call('POST', '/notifications', { notification: { name: 'Monthly statement', alias: 'statement', brand: { id: 'acme' }, subscription: { topic_id: 'statements' }, content: { version: '2022-01-01', elements: ELEMENTS } }, state: 'PUBLISHED' });
  await call('PUT', `/notifications/${template.id}/content`, { content: { version: '2022-01-01', elements: [...ELEMENTS.slice(0, 3), { type: 'text', content: 'A sentence of the draft.' }, ...ELEMENTS.slice(3)] } });
  await call('PUT', '/users/bob/preferences/statements', { topic: { status: 'OPTED_OUT' } });
  const data = { month: 'November', plan: 'Team', amount: 20, name: 'Ada' };
  const send = async (to, message = {}) => (await call('POST', '/send', { message: { to, template: template.id, data, ...message } })).requestId;
  const names = ['Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Edsger Dijkstra', 'Barbara Liskov', 'Donald Knuth', 'Margaret Hamilton', 'Ken Thompson'];
  const jobId = await job(daemon, 960, {
    key,
    message: { event: template.id, data: { month: 'November' } },
    user: (i) => {
      const name = names[i % names.length];
      const id = `${name.toLowerCase().replace(' ', '-')}-${i}`;
      const profile = i % 7 === 3 ? { phone_number: `+1555${String(i).padStart(7, '0')}` } : i % 11 === 5 ? { firebaseToken: `device-${i}` } : i % 40 === 9 ? {} : { email: `${id}@example.com` };
      return { recipient: id, profile: i % 40 === 9 ? { slack: {} } : profile, data: { name: name.split(' ')[0], plan: ['Free', 'Team', 'Business'][i % 3], amount: (i % 3) * 20 } };
    },
  });
  await over(daemon, jobId, key);
  const made = { template: template.id, job: jobId };
  made.refused = await send({ user_id: 'bob', email: 'bob@example.com' });
  made.discord = await send({ user_id: 'ken', discord: { channel_id: '768866348853383208' } });
  made.msteams = await send({ user_id: 'barbara', ms_teams: { conversation_id: 'conv-1', tenant_id: 't', service_url: 'https://smba.example' } });
  made.slack = await send({ user_id: 'grace', slack: { access_token: 'xoxb', channel: 'C0123' } });
  made.inbox = await send({ user_id: 'margaret' }, { routing: { method: 'single', channels: ['inbox'] } });
  made.push = await send({ user_id: 'alan', firebaseToken: 'device-77' });
  made.sms = await send({ user_id: 'edsger', phone_number: '+15555550142' }, { template: undefined, content: { title: 'Code', body: 'Your Acme code is 482913. It is good for ten minutes. Do not share it with anybody – not even with us. Ask for another one at https://acme.example/code if it is late.' } });
  made.email = await send({ user_id: 'ada', email: 'ada@example.com' });
  await call('POST', '/_bulkd/faults', { preset: 'lost-answer', path: '/send' });
  await call('PUT', '/_bulkd/snapshots/before');
  return made;
}
