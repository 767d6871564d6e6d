'use strict';
// What a customer of the newest Node SDK does with everything but bulk jobs, and what comes of it.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { facts, tutorial, freshKey } = require('./bulkd');

/** `sdk` as for the stories; `once(key)` gives options for an idempotency key. */
function tellResources(sdk) {
  const story = (name, body) => test(`${sdk.name}: ${name}`, () => body(customer(sdk)));
  const { brand, welcome, history } = facts;

  story('a template with a brand reaches a user whose profile is stored', async ({ client, send, texts, published }) => {
    const template = await published();
    const profile = { email: 'ada@example.com', name: 'Ada' };
    assert.deepEqual(await client.profiles.create('ada', { profile }), { status: 'SUCCESS' });
    const sent = await send({ to: { user_id: 'ada' }, template, data: { place: 'Acme' } });
    const message = await client.messages.retrieve(sent);
    assert.deepEqual([message.status, message.recipient, message.notification], ['SENT', 'ada', template]);
    assert.deepEqual(providers(message), ['email sendgrid SENT']);
    assert.deepEqual(await texts(sent), [['email', 'Hi Ada', 'Welcome to Acme\n\nAcme Inc.']]);
    const { html } = (await client.messages.content(sent)).results[0].content;
    assert.ok(html.includes('#123456') && html.includes('Acme Inc.'), "the brand's colour and footer");
    assert.deepEqual((await client.messages.history(sent)).results.map(({ type }) => type), history);
    assert.equal((await client.messages.history(sent, { type: 'SENT' })).results.length, 1);

    // The alias serves as well as the id, and what is published is what is sent.
    const notification = { ...welcome, content: { elements: [{ type: 'text', content: 'Draft' }] } };
    assert.equal((await client.notifications.replace(template, { notification })).state, 'DRAFT');
    const again = () => send({ to: { user_id: 'ada' }, template: 'welcome', data: { place: 'B' } });
    assert.equal((await texts(await again()))[0][2], 'Welcome to B\n\nAcme Inc.');
    await client.notifications.publish(template);
    assert.equal((await texts(await again()))[0][2], 'Draft\n\nAcme Inc.');
    const { versions } = await client.notifications.listVersions(template);
    assert.deepEqual(versions.map(({ version }) => version), ['draft', 'published:v002', 'v001']);
  });

  story('content, elements and locales are written one by one', async ({ client, send, texts, published }) => {
    const template = await published();
    const draft = await client.notifications.retrieveContent(template, { version: 'draft' });
    const text = draft.elements[0].elements[1];
    assert.deepEqual([text.id, text.content], ['words', 'Welcome to {{place}}']);
    const data = { content: 'Bye {{name}}' };
    await client.notifications.putElement('words', { id: template, type: 'text', data });
    const elements = [{ id: 'words', content: 'Tschüss {{name}}' }];
    await client.notifications.putLocale('de', { id: template, elements, state: 'PUBLISHED' });
    const after = await client.notifications.retrieveContent(template);
    assert.notEqual(after.elements[0].elements[1].checksum, text.checksum);
    for (const [locale, expected] of [['en', 'Bye Ada\n\nAcme Inc.'], ['de', 'Tschüss Ada\n\nAcme Inc.']]) {
      const to = { email: 'ada@example.com', data: { name: 'Ada' }, locale };
      assert.equal((await texts(await send({ to, template })))[0][2], expected);
    }
  });

  story('templates are listed and archived', async ({ client, published }) => {
    const template = await published();
    const { results } = await client.notifications.list({ tags: 'onboarding' });
    assert.deepEqual(results.map(({ id, state }) => [id, state]), [[template, 'PUBLISHED']]);
    assert.deepEqual((await client.notifications.list({ tags: 'other' })).results, []);
    await client.notifications.archive(template);
    assert.deepEqual((await client.notifications.list()).results, []);
  });

  story('checks are kept until they are withdrawn', async ({ client, published }) => {
    const { checks } = client.notifications;
    const id = await published();
    const check = { id: 'legal', status: 'FAILED', type: 'custom' };
    const put = await checks.update('first', { id, checks: [check] });
    assert.deepEqual(put.checks.map(({ updated, ...rest }) => rest), [check]);
    assert.deepEqual(await checks.list('first', { id }), put);
    await checks.delete('first', { id });
    assert.deepEqual((await checks.list('first', { id })).checks, []);
  });

  story('brands are changed but not deleted while a template has them', async ({ client, published }) => {
    const { brands } = client;
    await published();
    await declined(409, brands.create(brand));
    await declined(409, brands.delete('acme'));
    assert.equal((await brands.update('acme', { name: 'Acme 2', settings: {} })).name, 'Acme 2');
    assert.deepEqual((await brands.list()).results.map(({ name }) => name), ['Acme 2']);
    await brands.create({ id: 'other', name: 'Other', settings: {} });
    await brands.delete('other');
    await declined(404, brands.retrieve('other'));
  });

  story('lists and patterns reach their subscribers', async ({ client, send, texts, messages }) => {
    const { lists, profiles } = client;
    for (const user of ['ada', 'bob', 'cy']) {
      await profiles.create(user, { profile: { email: `${user}@example.com`, name: user } });
    }
    await lists.update('news.eu', { name: 'EU' });
    await lists.update('news.us', { name: 'US' });
    await lists.subscriptions.subscribe('news.eu', { recipients: [{ recipientId: 'ada' }, { recipientId: 'bob' }] });
    await lists.subscriptions.add('news.us', { recipients: [{ recipientId: 'bob' }] });
    await lists.subscriptions.subscribeUser('cy', { list_id: 'news.us' });
    const content = { title: 'News', body: 'For {{profile.name}}' };

    await send({ to: { list_id: 'news.eu' }, content });
    const toList = await messages(2, { list: 'news.eu' });
    const said = await Promise.all(toList.map(({ id }) => texts(id)));
    assert.deepEqual(said.flat().sort(), [['email', 'News', 'For ada'], ['email', 'News', 'For bob']]);

    await lists.subscriptions.unsubscribeUser('ada', { list_id: 'news.eu' });
    await send({ to: { list_pattern: 'news.*' }, content, metadata: { tags: ['pattern'] } });
    const toPattern = await messages(3, { tag: ['pattern'] });
    assert.deepEqual(toPattern.map(({ listId, recipient, status }) => `${listId} ${recipient} ${status}`).sort(),
      ['news.eu bob SENT', 'news.us bob SENT', 'news.us cy SENT']);

    const { items } = await lists.subscriptions.list('news.us');
    assert.deepEqual(items.map(({ recipientId }) => recipientId).sort(), ['bob', 'cy']);
    assert.deepEqual((await profiles.lists.retrieve('bob')).results.map(({ name }) => name).sort(), ['EU', 'US']);
    await profiles.lists.delete('bob');
    assert.deepEqual((await profiles.lists.retrieve('bob')).results, []);
    await lists.delete('news.us');
    assert.deepEqual((await lists.list({ pattern: 'news.*' })).items.map(({ id }) => id), ['news.eu']);
    await lists.restore('news.us', {});
    assert.equal((await lists.retrieve('news.us')).name, 'US');
  });

  story('a user who opted out gets nothing', async ({ client, send, published }) => {
    const template = await published();
    const { preferences } = client.users;
    await client.profiles.create('ada', { profile: { email: 'ada@example.com', name: 'Ada' } });
    const choose = (status) => preferences.updateOrCreateTopic('onboarding', { user_id: 'ada', topic: { status } });
    const sent = async () => client.messages.retrieve(await send({ to: { user_id: 'ada' }, template }));
    await choose('OPTED_OUT');
    assert.equal((await preferences.retrieveTopic('onboarding', { user_id: 'ada' })).topic.status, 'OPTED_OUT');
    const { status, reason, providers } = await sent();
    assert.deepEqual([status, reason], ['UNDELIVERABLE', 'UNSUBSCRIBED']);
    assert.deepEqual(providers, [{ error: 'Notification opted out by user', status: 'UNDELIVERABLE' }]);
    await choose('OPTED_IN');
    assert.equal((await sent()).status, 'SENT');
  });

  story('a push goes to the token of a user', async ({ client, send, texts, published }) => {
    const template = await published();
    const { tokens } = client.users;
    const user_id = 'cy';
    await tokens.addSingle('a-token', { user_id, provider_key: 'firebase-fcm', device: { platform: 'android' } });
    assert.equal((await tokens.retrieve('a-token', { user_id })).provider_key, 'firebase-fcm');
    const to = { user_id, data: { name: 'Cy', place: 'Acme' } };
    const sent = await send({ to, template });
    assert.deepEqual(providers(await client.messages.retrieve(sent)), ['push firebase-fcm SENT']);
    assert.deepEqual(await texts(sent), [['push', 'Hi Cy', 'Welcome to Acme']]);
    await tokens.update('a-token', { user_id, patch: [{ op: 'replace', path: '/status', value: 'revoked' }] });
    assert.notEqual((await client.messages.retrieve(await send({ to, template }))).status, 'SENT');
    await tokens.delete('a-token', { user_id });
    assert.deepEqual((await tokens.list('cy')).tokens, []);
  });

  story('a delayed message is canceled, once', async ({ client, send }) => {
    const content = { title: 'Later', body: 'or never' };
    const sent = await send({ to: { email: 'dee@example.com' }, content, delay: { duration: 3_600_000 } });
    assert.equal((await client.messages.retrieve(sent)).status, 'DELAYED');
    assert.equal((await client.messages.cancel(sent)).status, 'CANCELED');
    await declined(409, client.messages.cancel(sent));
    assert.equal((await client.messages.retrieve(sent)).status, 'CANCELED');
  });

  story('a message is sent again', async ({ client, send, texts }) => {
    const sent = await send({ to: { email: 'dee@example.com' }, content: { title: 'Hi', body: 'again' } });
    // This generation of the SDK has no method for it but its own road to any path.
    const { messageId } = await client.post(`/messages/${sent}/resend`);
    assert.notEqual(messageId, sent);
    assert.deepEqual(await texts(messageId), [['email', 'Hi', 'again']]);
    assert.equal((await client.messages.retrieve(messageId)).status, 'SENT');
  });

  story('what is archived is left out of lists', async ({ client, send, messages }) => {
    const content = { title: 'Hi', body: 'there' };
    const sent = await send({ to: { email: 'ada@example.com' }, content, metadata: { tags: ['t'], trace_id: 'a' } });
    const kept = await send({ to: { phone_number: '+15550100' }, content, metadata: { tags: ['t'] } });
    const found = async (...asked) => (await messages(...asked)).map(({ id }) => id);
    assert.deepEqual(await found(2, { tag: ['t'] }), [kept, sent]);
    assert.deepEqual(await found(1, { traceId: 'a' }), [sent]);
    assert.deepEqual(providers(await client.messages.retrieve(kept)), ['sms twilio SENT']);
    await client.requests.archive(sent);
    assert.deepEqual(await found(1), [kept]);
    assert.deepEqual(await found(1, { archived: true }), [sent]);
    assert.deepEqual(await found(1, { provider: ['twilio'] }), [kept]);
  });

  story('profiles are merged, patched and replaced', async ({ client }) => {
    const { profiles } = client;
    const stored = async () => (await profiles.retrieve('ada')).profile;
    await profiles.create('ada', { profile: { email: 'ada@example.com', name: 'Ada' } });
    await profiles.create('ada', { profile: { name: 'Lovelace' } });
    assert.deepEqual(await stored(), { email: 'ada@example.com', name: 'Lovelace' });
    await profiles.update('ada', { patch: [{ op: 'replace', path: '/name', value: 'Ada' }] });
    assert.deepEqual(await stored(), { email: 'ada@example.com', name: 'Ada' });
    await profiles.replace('ada', { profile: { phone_number: '+15550100' } });
    assert.deepEqual(await stored(), { phone_number: '+15550100' });
    await profiles.delete('ada');
    assert.deepEqual(await stored(), {});
  });

  story('one idempotency key sends and makes once', async ({ client, messages }) => {
    const message = { to: { email: 'ada@example.com' }, content: { title: 'Hi', body: 'there' } };
    const twice = async (call) => [await call(), await call()];
    const once = sdk.once('order-1');
    const [sent, again] = await twice(() => client.send.message({ message }, once));
    assert.deepEqual(again, sent);
    await messages(1);
    const [made, same] = await twice(() => client.notifications.create({ notification: welcome }, once));
    assert.equal(same.id, made.id);
    const brands = await twice(() => client.brands.create(brand, once));
    assert.deepEqual(brands[1], brands[0]);
  });
}

/** Somebody with an empty environment, and what they do again and again. */
function customer(sdk) {
  const client = sdk.connect(tutorial, freshKey());
  return {
    client,
    send: async (message) => (await client.send.message({ message })).requestId,
    /** What each channel shows: its name, subject and text. */
    texts: async (id) =>
      (await client.messages.content(id)).results.map((it) => [it.channel, it.content.subject, it.content.text]),
    /** As many messages as there are bound to be; those to lists come a little later. */
    messages: async (count, filters) => {
      for (let poll = 0; poll < facts.polls; poll += 1) {
        const { results } = await client.messages.list(filters);
        if (results.length === count && results.every(({ status }) => status !== 'ENQUEUED')) return results;
        await sleep(facts.poll_ms);
      }
      return assert.fail(`there are not ${count} messages`);
    },
    /** A brand, and a template that is published with it. */
    published: async () => {
      await client.brands.create(facts.brand);
      const { id, state, alias } = await client.notifications.create({ notification: facts.welcome });
      assert.deepEqual([state, alias], ['DRAFT', 'welcome']);
      await client.notifications.publish(id);
      return id;
    },
  };
}

const providers = (message) => message.providers.map((it) => `${it.channel.key} ${it.provider} ${it.status}`);

const declined = (status, call) => assert.rejects(call, (error) => error.status === status);

module.exports = { tellResources };
