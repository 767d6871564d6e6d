'use strict';
// The stories that every generation of the Node SDK must be able to tell. A suite hands over its SDK as an object:
//   name, errors {status: class}
//   connect(url, key)                          a client
//   create(client, message, options)           the job id
//   ingest, report(client, job, users, options)  the call as people make it; the answer's body, by whatever road
//   run(client, job, options)   job(client, job)   users(client, job, cursor)
//   refusal(error)                             {status, type, message, read: the text an SDK user gets to read}
//   withoutKey(url)                            a call that carries no usable key
//   once(key)                                  options for an idempotency key and an expiration, as this SDK takes them

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { facts, id, tutorial, openapi, freshKey, overheard, outbox } = require('./bulkd');

async function completed(sdk, client, job) {
  for (let poll = 0; poll < facts.polls; poll += 1) {
    const state = await sdk.job(client, job);
    if (state.status === 'COMPLETED') return state;
    assert.equal(state.status, 'PROCESSING');
    await sleep(facts.poll_ms);
  }
  return assert.fail('the job did not complete');
}

async function refused(sdk, status, work) {
  const { error, exchanges } = await overheard(work);
  assert.ok(error instanceof sdk.errors[status], `expected a refusal of its own class, got ${error}`);
  const refusal = sdk.refusal(error);
  assert.equal(refusal.status, status);
  assert.equal(refusal.type, status === 401 ? 'authentication_error' : 'invalid_request_error');
  assert.ok(refusal.message.length > 0);
  assert.ok(refusal.read.includes(refusal.message), refusal.read);
  assert.equal(exchanges.length, 1, 'a refusal is not asked again');
  return refusal;
}

/** Ingests in two calls, runs, waits, and checks each thing that a caller can see on the way. */
async function wholeFlow(sdk, url, message) {
  const client = sdk.connect(url, freshKey());
  const sent = [...facts.first_users, ...facts.more_users];

  const job = await sdk.create(client, message);
  assert.match(job, id);
  assert.deepEqual(await sdk.job(client, job), {
    definition: message, enqueued: 0, failures: 0, received: 0, status: 'CREATED',
  });

  await sdk.ingest(client, job, facts.first_users);
  await sdk.ingest(client, job, facts.more_users);
  const waiting = await sdk.users(client, job);
  assert.deepEqual(waiting.items.map((item) => item.status), sent.map(() => 'PENDING'));
  assert.ok(waiting.items.every((item) => item.messageId == null));

  await sdk.run(client, job);
  assert.deepEqual(await completed(sdk, client, job), {
    definition: message, enqueued: sent.length, failures: 0, received: sent.length, status: 'COMPLETED',
  });

  const { items, paging } = await sdk.users(client, job);
  assert.equal(paging.more, false);
  assert.equal(items.length, sent.length);
  items.forEach((item, at) => {
    const { recipient, status, messageId, ...user } = item;
    const { recipient: _, ...asSent } = sent[at];
    assert.deepEqual(user, asSent);
    assert.equal(status, 'ENQUEUED');
    assert.match(messageId, id);
  });
  assert.equal(new Set(items.map((item) => item.messageId)).size, sent.length);
  assert.equal(items[0].recipient, 'spike_spiegel');
  assert.equal(items[1].recipient, 'faye_valentine');
  assert.match(items[2].recipient, new RegExp(facts.generated_recipient));
}

function tell(sdk, forms) {
  const story = (name, body) => test(`${sdk.name}: ${name}`, body);

  for (const form of forms) {
    story(`a job goes from CREATED to COMPLETED, ${form}`, () => wholeFlow(sdk, tutorial, facts.messages[form]));
  }

  story('create, ingest and run answer 201, 200 and 202 in plain JSON', async () => {
    const client = sdk.connect(tutorial, freshKey());
    const { exchanges, error } = await overheard(async () => {
      const job = await sdk.create(client, facts.messages.v1_event);
      await sdk.ingest(client, job, facts.first_users);
      await sdk.run(client, job);
    });
    assert.ifError(error);
    assert.deepEqual(exchanges.map(({ status }) => status), [201, 200, 202]);
    assert.deepEqual(exchanges.map(({ type }) => type), Array(3).fill('application/json'));
    assert.deepEqual(JSON.parse(exchanges[1].text), { errors: [], total: 2 });
    assert.deepEqual(JSON.parse(exchanges[2].text), {});
  });

  story('an unknown job is not found, whatever is asked of it', async () => {
    const client = sdk.connect(tutorial, freshKey());
    for (const job of facts.unknown_jobs) {
      await refused(sdk, 404, () => sdk.job(client, job));
      await refused(sdk, 404, () => sdk.users(client, job));
      await refused(sdk, 404, () => sdk.ingest(client, job, facts.first_users));
      await refused(sdk, 404, () => sdk.run(client, job));
    }
  });

  story('a job runs once and takes no users afterwards', async () => {
    const client = sdk.connect(tutorial, freshKey());
    const job = await sdk.create(client, facts.messages.v1_event);
    await sdk.ingest(client, job, facts.first_users);
    await sdk.run(client, job);
    await refused(sdk, 400, () => sdk.run(client, job));
    await refused(sdk, 400, () => sdk.ingest(client, job, facts.more_users));
    assert.equal((await completed(sdk, client, job)).received, 2);
  });

  story('a message that names nothing to send is refused', async () => {
    const client = sdk.connect(tutorial, freshKey());
    const { message } = await refused(sdk, 400, () => sdk.create(client, {}));
    assert.equal(message, facts.event_required);
  });

  story('a call without a usable key is unauthorized', async () => {
    const { message } = await refused(sdk, 401, () => sdk.withoutKey(tutorial));
    assert.equal(message, 'Unauthorized');
  });

  story('250 users are listed page by page in the order of ingestion', async () => {
    const client = sdk.connect(tutorial, freshKey());
    const job = await sdk.create(client, facts.messages.v1_event);
    const recipients = Array.from({ length: 250 }, (_, at) => `user-${at}`);
    await sdk.ingest(client, job, recipients.map((recipient) => ({ recipient })));

    const pages = [];
    let cursor;
    do {
      const { items, paging } = await sdk.users(client, job, cursor);
      pages.push(items.map((item) => item.recipient));
      cursor = paging.more ? paging.cursor : undefined;
    } while (cursor !== undefined && pages.length < 10);
    assert.deepEqual(pages.map((page) => page.length), facts.page_sizes);
    assert.deepEqual(pages.flat(), recipients);
  });

  story('duplicates come back as they were sent, and the others stay', async () => {
    const client = sdk.connect(tutorial, freshKey());
    const job = await sdk.create(client, facts.messages.v1_event);
    const ada = (name) => ({ recipient: 'ada', profile: { email: 'ada@example.com' }, data: { name } });

    const first = await sdk.report(client, job, [ada('Ada'), { recipient: 'bob' }, ada('Ada again')]);
    assert.deepEqual(first, { errors: [{ error: 'Duplicate user', user: ada('Ada again') }], total: 2 });
    const second = await sdk.report(client, job, [{ to: { user_id: 'bob' } }, { recipient: 'cy' }]);
    assert.deepEqual(second, { errors: [{ error: 'Duplicate user', user: { to: { user_id: 'bob' } } }], total: 1 });
    assert.equal((await sdk.job(client, job)).received, 3);
  });

  story('one idempotency key does one thing once', async () => {
    const key = freshKey();
    const client = sdk.connect(tutorial, key);
    const create = (once) => sdk.create(client, facts.messages.v1_event, sdk.once(once));
    const job = await create('create-1');
    assert.equal(await create('create-1'), job);
    assert.notEqual(await create('create-2'), job);

    const ingest = () => sdk.report(client, job, facts.first_users, sdk.once('ingest'));
    assert.deepEqual(await ingest(), { errors: [], total: 2 });
    assert.deepEqual(await ingest(), { errors: [], total: 2 });
    await sdk.run(client, job, sdk.once('run'));
    await sdk.run(client, job, sdk.once('run'));
    assert.equal((await completed(sdk, client, job)).received, 2);
    assert.equal((await outbox(tutorial, key, job)).items.length, 2);
  });

  for (const form of forms.filter((name) => name.endsWith('content'))) {
    story(`the outbox shows what each reader would have got, ${form}`, async () => {
      const key = freshKey();
      const client = sdk.connect(tutorial, key);
      const job = await sdk.create(client, facts.messages[form]);
      await sdk.ingest(client, job, facts.readers);
      await sdk.run(client, job);
      await completed(sdk, client, job);

      const { items, paging } = await outbox(tutorial, key, job);
      const users = (await sdk.users(client, job)).items;
      assert.equal(paging.more, false);
      assert.equal(items.length, facts.read.length);
      for (const expected of facts.read) {
        const named = ({ recipient }) => recipient === expected.recipient;
        const { message_id, job_id, recipient, channel, address, subject, body, status, created_at } = items.find(named);
        assert.deepEqual({ recipient, channel, address, subject, body: body.trim() }, expected);
        assert.deepEqual({ message_id, job_id }, { message_id: users.find(named).messageId, job_id: job });
        assert.equal(typeof status, 'string');
        assert.ok(Number.isInteger(created_at));
      }
    });
  }
}

/** For SDKs that were generated from the OpenAPI text: the daemon that takes that text at its word. */
function tellOpenapi(sdk, forms) {
  const story = (name, body) => test(`${sdk.name}, --contract openapi: ${name}`, body);

  for (const form of forms) {
    story(`a job goes from CREATED to COMPLETED, ${form}`, () => wholeFlow(sdk, openapi, facts.messages[form]));
  }

  story('create answers 200, and ingest and run resolve on an empty 204', async () => {
    const client = sdk.connect(openapi, freshKey());
    const { exchanges, error } = await overheard(async () => {
      const job = await sdk.create(client, facts.messages.v1_event);
      assert.equal((await sdk.ingest(client, job, facts.first_users)) ?? null, null);
      assert.equal((await sdk.run(client, job)) ?? null, null);
    });
    assert.ifError(error);
    assert.deepEqual(exchanges.map(({ status }) => status), [200, 204, 204]);
    assert.deepEqual(exchanges.slice(1).map(({ text }) => text), ['', '']);
  });

  story('a message without an event is refused', async () => {
    const client = sdk.connect(openapi, freshKey());
    const work = () => sdk.create(client, facts.messages.v2_nested_template);
    assert.equal((await refused(sdk, 400, work)).message, facts.event_required);
  });
}

module.exports = { tell, tellOpenapi, completed };
