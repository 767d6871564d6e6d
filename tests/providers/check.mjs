// Holds the requests in tests/requests against those that the providers' own libraries make of the same message.
//
//   npm ci && node check.mjs FOLDER
//
// FOLDER has the samples: what a test of bulkd expects is what bulkd answers. A library is called as its documentation has
// it, and what it would send is caught on its way out: method, URL and body have to be those of the sample. What only one
// of the two can know (ids of messages, what is left out or the default) is named here. Then each leaf of the sample is made
// another one, which has to be found as well. Where a library reads rather than sends, it has to take the samples, and to
// refuse those that are bad.

import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';

// Unlike `import` this finds what NODE_PATH leads to.
const require = createRequire(import.meta.url);
const folder = process.argv[2];
const sample = (name) => JSON.parse(readFileSync(path.join(folder, `${name}.json`))).expected;

let caught;

/** A server stands for all others: what would go to them comes here, with its address in a header. */
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    let body = Buffer.concat(chunks);
    if (request.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
    // Expo's is told by its own variable where to go.
    const meant = request.headers['x-meant'] ?? `https://exp.host${request.url}`;
    caught ??= { method: request.method, url: meant, headers: request.headers, body: body.toString() };
    const answer = meant.includes('sns.')
      ? '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>'
      : JSON.stringify({ id: '1', data: { id: '1', status: 'ok' }, messages: [{ status: '0' }], Messages: [], results: {}, MessageId: '1' });
    response.writeHead(200, { 'content-type': answer[0] === '<' ? 'text/xml' : 'application/json' });
    response.end(answer);
  });
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const { port } = server.address();
process.env.EXPO_BASE_URL = `http://127.0.0.1:${port}`;

const request = http.request;
https.request = (first, second, third) => {
  let [options, done] = [first, second];
  if (typeof first === 'string' || first instanceof URL) {
    const url = new URL(first);
    options = { ...(typeof second === 'object' ? second : {}), hostname: url.hostname, path: url.pathname + url.search };
    done = typeof second === 'function' ? second : third;
  }
  const host = options.hostname ?? options.host;
  const headers = options.headers instanceof Array ? options.headers : { ...options.headers, 'x-meant': `https://${host}${options.path}` };
  return request({ method: options.method, path: options.path, auth: options.auth, headers, host: '127.0.0.1', port }, done);
};
https.get = (...given) => https.request(...given).end();
syncBuiltinESMExports();
const fetched = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const given = new Request(url, options);
  const headers = new Headers(given.headers);
  headers.set('x-meant', given.url);
  return fetched(`http://127.0.0.1:${port}/`, { method: given.method, headers, body: await given.arrayBuffer() });
};

const TO = 'ada@xn--bcher-kva.example';
const FROM = '"Acme, Inc." <x@example.com>';
const CC = '"Lovelace, Ada" <cc@example.com>';
const HELP = 'Help <help@example.com>';
const HTML = '<!doctype html><p>Hello</p>';
const ID = '1-6ab13b70-000000000000000000000001';
const files = (of) => [['a.txt', 'text/plain', 'aGVsbG8='], ['b.txt', 'text/plain', 'cGxhaW4='], ['logo.png', 'image/png', 'AAEC', 'logo']].map(of);
const fields = (body) => Object.fromEntries(new URLSearchParams(body));

/** A form whose sample is a body alone. */
const body = (url, call, more) => ({ call, url, ...more });

const FCM = 'https://fcm.googleapis.com/v1/projects/acme/messages:send';
const firebase = () => {
  const { initializeApp, getApps } = require('firebase-admin/app');
  const credential = { getAccessToken: async () => ({ access_token: 'ACCESS_TOKEN', expires_in: 3600 }) };
  return require('firebase-admin/messaging').getMessaging(getApps()[0] ?? initializeApp({ credential, projectId: 'acme' }));
};

/** What Apple's form is made of by a library that speaks HTTP/2, and so cannot be caught: it is asked for its parts. */
function apple(given) {
  return {
    call: (expected) => {
      const { Notification } = require('@parse/node-apn');
      const notification = new Notification(given);
      const path = new URL(expected.url).pathname;
      caught = {
        method: 'POST',
        url: `https://${/sandbox/.test(expected.url) ? 'api.sandbox' : 'api'}.push.apple.com/3/device/${path.split('/').at(-1)}`,
        headers: { authorization: 'bearer PROVIDER_TOKEN', 'content-type': 'application/json', ...notification.headers() },
        body: notification.compile(),
      };
    },
    headers: /^apns-/,
  };
}

/** For each sample: the library's call, and how its body and the sample's are brought to one form. */
const checks = {
  'sendgrid-full': body('https://api.sendgrid.com/v3/mail/send', () => {
    const { MailService } = require('@sendgrid/mail');
    const service = new MailService();
    service.setClient(new (require('@sendgrid/client').Client)());
    service.setApiKey('SG.API_KEY');
    return service.send({
      to: TO, cc: { email: 'cc@example.com', name: 'Lovelace, Ada' }, bcc: 'b@example.com', from: { email: 'x@example.com', name: 'Acme, Inc.' },
      replyTo: HELP, subject: 'Hi', text: 'Hello', html: HTML, headers: { 'X-Kind': 'test' }, categories: ['weekly'],
      customArgs: { message_id: ID, recipient: 'ada', trace_id: 't-1' },
      attachments: files(([filename, type, content, contentId]) => ({
        filename, type, content, ...(contentId && { content_id: contentId, disposition: 'inline' }),
      })),
    });
  }),
  twilio: body('https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json', () =>
    require('twilio')('AC1', 'AUTH_TOKEN').messages.create({ to: '+15551234567', from: '+15005550006', body: 'Your code is 42' }), { made: fields }),
  'twilio-overridden': body('https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json', () =>
    require('twilio')('AC1', 'AUTH_TOKEN').messages.create({
      to: '+15551234567', from: '+15557654321', body: 'Look', maxPrice: 0.5, mediaUrl: ['https://acme.example/a.png'],
    }), { made: (text) => ({ ...fields(text), MediaUrl: new URLSearchParams(text).getAll('MediaUrl') }) }),
  fcm: body(FCM, () => firebase().send({
    token: 'token-1', notification: { title: 'Build', body: 'Build passed', imageUrl: 'https://acme.example/chart.png' },
    data: { clickAction: 'https://acme.example/?a=1&b=2', messageId: ID },
  })),
  'fcm-overridden': body(FCM, () => firebase().send({
    token: 'token-1', notification: { title: 'Build', body: 'Build passed' }, data: { badge: '3', messageId: ID },
    apns: { payload: { aps: { sound: 'default' } } },
  })),
  'fcm-overridden-beside-the-body': body(FCM, () => firebase().send({
    token: 't', data: { clickAction: 'https://acme.example', messageId: ID, title: 'Hey' }, android: { notification: { icon: 'bell' } },
    apns: { payload: { aps: { mutableContent: true } } },
  })),
  apn: apple({
    alert: { title: 'Hey', body: 'Tap me' }, mutableContent: true, pushType: 'alert', topic: 'com.example.app',
    payload: { data: { clickAction: 'https://acme.example/open', image: 'https://acme.example/a.png', order: 7 } },
  }),
  'apn-overridden': apple({
    alert: { subtitle: 'Now' }, badge: 3, sound: 'ping.aiff', contentAvailable: true, mutableContent: true, threadId: 't-1',
    priority: 5, expiry: 1790000000, topic: 'com.acme.app', collapseId: 'c-1', pushType: 'alert', payload: { messageFrom: 'Acme' },
  }),
  'apn-silent': apple({ badge: 123, contentAvailable: true, priority: 5, pushType: 'background', topic: 'com.example.app' }),
  slack: body('https://slack.com/api/chat.postMessage', () =>
    new (require('@slack/web-api').WebClient)('xoxb-1', { retryConfig: { retries: 0 } }).chat.postMessage(sample('slack')), {
    made: (text) => {
      const { blocks, ...rest } = fields(text);
      return { ...rest, blocks: JSON.parse(blocks) };
    },
  }),
  postmark: () =>
    new (require('postmark').ServerClient)('API_KEY').sendEmail({
      From: FROM, To: TO, Cc: CC, Bcc: 'b@example.com', Subject: 'Hi', HtmlBody: HTML, TextBody: 'Hello', ReplyTo: HELP, Tag: 'weekly',
      MessageStream: 'outbound', Headers: [{ Name: 'X-Kind', Value: 'test' }], Metadata: { message_id: ID, trace_id: 't-1' },
      Attachments: files(([Name, ContentType, Content, id]) => ({ Name, Content, ContentType, ...(id && { ContentID: `cid:${id}` }) })),
    }),
  'aws-ses': () => {
    const { SESv2Client, SendEmailCommand } = require('@aws-sdk/client-sesv2');
    const client = new SESv2Client({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
    const text = (Data) => ({ Data, Charset: 'UTF-8' });
    return client.send(new SendEmailCommand({
      FromEmailAddress: FROM, ReplyToAddresses: [HELP], EmailTags: [{ Name: 'weekly', Value: 'true' }],
      Destination: { ToAddresses: [TO], CcAddresses: [CC], BccAddresses: ['b@example.com'] },
      Content: { Simple: {
        Subject: text('Hi'), Body: { Text: text('Hello'), Html: text(HTML) }, Headers: [{ Name: 'X-Kind', Value: 'test' }],
        Attachments: files(([FileName, ContentType, data, ContentId]) => ({
          FileName, ContentType, RawContent: Buffer.from(data, 'base64'), ContentTransferEncoding: 'BASE64',
          ContentDisposition: ContentId ? 'INLINE' : 'ATTACHMENT', ...(ContentId && { ContentId }),
        })),
      } },
    }));
  },
  mailjet: () => {
    const mailjet = require('node-mailjet').apiConnect('API_KEY', 'API_KEY');
    const file = ([Filename, ContentType, Base64Content, ContentID]) => ({ Filename, ContentType, Base64Content, ...(ContentID && { ContentID }) });
    return mailjet.post('send', { version: 'v3.1' }).request({ Messages: [{
      From: { Email: 'x@example.com', Name: 'Acme, Inc.' }, To: [{ Email: TO }], Cc: [{ Email: 'cc@example.com', Name: 'Lovelace, Ada' }],
      Bcc: [{ Email: 'b@example.com' }], ReplyTo: { Email: 'help@example.com', Name: 'Help' }, Subject: 'Hi', TextPart: 'Hello',
      HTMLPart: HTML, CustomID: ID, Headers: { 'X-Kind': 'test' },
      Attachments: files(file).slice(0, 2), InlinedAttachments: files(file).slice(2),
    }] });
  },
  resend: () =>
    new (require('resend').Resend)('API_KEY').emails.send({
      from: FROM, to: [TO], cc: [CC], bcc: ['b@example.com'], replyTo: [HELP], subject: 'Hi', text: 'Hello', html: HTML,
      headers: { 'X-Kind': 'test' }, tags: [{ name: 'weekly', value: 'true' }],
      attachments: files(([filename, contentType, content, contentId]) => ({ filename, contentType, content, contentId })),
    }),
  sparkpost: () => {
    const SparkPost = require('sparkpost');
    const file = ([name, type, data, id]) => ({ name: id ?? name, type, data });
    const copy = (address) => ({ address: { ...address, header_to: TO }, tags: ['weekly'] });
    return new SparkPost('API_KEY').transmissions.send({
      content: {
        from: { email: 'x@example.com', name: 'Acme, Inc.' }, subject: 'Hi', text: 'Hello', html: HTML, reply_to: HELP,
        headers: { CC, 'X-Kind': 'test' }, attachments: files(file).slice(0, 2), inline_images: files(file).slice(2),
      },
      recipients: [{ address: { email: TO }, tags: ['weekly'] }, copy({ email: 'cc@example.com', name: 'Lovelace, Ada' }), copy({ email: 'b@example.com' })],
      metadata: { message_id: ID },
    });
  },
  mailgun: {
    call: () => {
      const mailgun = new (require('mailgun.js').default ?? require('mailgun.js'))(FormData);
      const file = ([filename, contentType, data, id]) => ({ filename: id ?? filename, contentType, data: Buffer.from(data, 'base64') });
      return mailgun.client({ username: 'api', key: 'API_KEY', useFetch: true }).messages.create('example.com', {
        from: FROM, to: [TO], cc: [CC], bcc: ['b@example.com'], subject: 'Hi', text: 'Hello', html: HTML, 'h:Reply-To': HELP,
        'h:X-Kind': 'test', 'o:tag': ['weekly'], 'v:message_id': ID, attachment: files(file).slice(0, 2), inline: files(file).slice(2),
      });
    },
    // Names of parts, and of the files in them.
    made: (body) => [...body.matchAll(/name="([^"]+)"(?:; filename="([^"]+)")?/g)].map(([, name, file]) => (file ? `${name} ${file}` : name)).sort(),
    ours: (body) => Object.entries(body).flatMap(([name, value]) => [value].flat().map((it) => (it.filename ? `${name} ${it.filename}` : name))).sort(),
  },
  telnyx: () => new (require('telnyx').default ?? require('telnyx'))({ apiKey: 'API_KEY' }).messages.send({ from: '+15005550006', to: '+491575556511', text: 'Your code is 42' }),
  plivo: {
    call: () => new (require('plivo').Client)('AUTH_ID', 'AUTH_TOKEN').messages.create({ src: '+15005550006', dst: '+491575556511', text: 'Your code is 42' }),
  },
  messagebird: {
    call: () => new Promise((done) => {
      const client = (require('messagebird').initClient ?? require('messagebird').default)('API_KEY');
      client.messages.create({ originator: '+15005550006', recipients: ['+491575556511'], body: 'Your code is 42', datacoding: 'auto' }, done);
    }),
    // The library makes one text of a list, which the API takes as well.
    made: (body) => ({ ...JSON.parse(body), recipients: JSON.parse(body).recipients.split(',') }),
  },
  vonage: {
    call: () => {
      const { SMS } = require('@vonage/sms');
      return new SMS({ apiKey: 'API_KEY', apiSecret: 'API_SECRET' }).send({ from: '+15005550006', to: '491575556511', text: 'Your code is 42' });
    },
    made: (body) => (body[0] === '{' ? JSON.parse(body) : fields(body)),
  },
  mandrill: {
    call: () => {
      const file = ([name, type, content, id]) => ({ type, name: id ?? name, content });
      return require('@mailchimp/mailchimp_transactional')('API_KEY').messages.send({ message: {
        from_email: 'x@example.com', from_name: 'Acme, Inc.', subject: 'Hi', text: 'Hello', html: HTML, tags: ['weekly'],
        to: [{ email: TO, type: 'to' }, { email: 'cc@example.com', name: 'Lovelace, Ada', type: 'cc' }, { email: 'b@example.com', type: 'bcc' }],
        headers: { 'Reply-To': HELP, 'X-Kind': 'test' }, metadata: { message_id: ID },
        attachments: files(file).slice(0, 2), images: files(file).slice(2),
      } });
    },
  },
  discord: () => {
    const { REST } = require('@discordjs/rest');
    const rest = new REST({ version: '10', makeRequest: (url, options) => fetch(url, options) }).setToken('BOT_TOKEN');
    const content = '**CI**\n# Build\n**green**\n[Open](https://acme.example)\n> a\n> b';
    return rest.post('/channels/768866348853383208/messages', { body: { content, allowed_mentions: { parse: [] } } });
  },
  onesignal: {
    call: () => {
      const { createConfiguration, DefaultApi, Notification } = require('@onesignal/node-onesignal');
      const client = new DefaultApi(createConfiguration({ restApiKey: 'API_KEY' }));
      const notification = Object.assign(new Notification(), {
        app_id: 'APP_ID', target_channel: 'push', include_subscription_ids: ['p-1'], contents: { en: 'Tap me' }, headings: { en: 'Hey' },
        data: { order: 7 }, url: 'https://acme.example/open', big_picture: 'https://acme.example/a.png',
        ios_attachments: { image: 'https://acme.example/a.png' },
      });
      return client.createNotification(notification);
    },
  },
  'aws-sns': {
    call: () => {
      const { SNSClient, PublishCommand } = require('@aws-sdk/client-sns');
      const client = new SNSClient({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
      return client.send(new PublishCommand({ PhoneNumber: '+491575556511', Message: 'Your code is 42' }));
    },
    made: fields,
  },
  expo: {
    call: () => {
      const { Expo } = require('expo-server-sdk');
      return new Expo().sendPushNotificationsAsync([{
        to: 'ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]', title: 'Hey', body: 'Tap me', sound: 'default',
        data: { clickAction: 'https://acme.example/open', order: 7 }, richContent: { image: 'https://acme.example/a.png' },
      }]);
    },
    // The library sends lists only.
    made: (body) => [JSON.parse(body)].flat()[0],
  },
};

/** What TypeScript says of a text that has these types. */
const typed = (source) => {
  const ts = require('typescript');
  const modules = process.env.NODE_PATH.split(path.delimiter)[0];
  const file = path.join(modules, '..', 'checked.ts');
  const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, ...rest) => (name === file ? ts.createSourceFile(name, source, rest[0]) : getSourceFile(name, ...rest));
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? source : readFile(name));
  const program = ts.createProgram([file], options, host);
  const found = program.getSemanticDiagnostics(program.getSourceFile(file));
  return found.map((it) => ts.flattenDiagnosticMessageText(it.messageText, '\n'));
};

const card = (given) => {
  const content = { $schema: 'http://adaptivecards.io/schemas/adaptive-card.json', ...given };
  const { AdaptiveCard, SerializationContext, Versions } = require('adaptivecards/dist/adaptivecards.js');
  const [card, context] = [new AdaptiveCard(), new SerializationContext(Versions.v1_5)];
  card.parse(content, context);
  const events = [...Array(context.eventCount).keys()].map((i) => context.getEventAt(i).message);
  const failures = card.validateProperties().validationEvents.map((it) => it.message);
  // What the library does not know it leaves out.
  const kept = isDeepStrictEqual(card.toJSON(new SerializationContext(Versions.v1_5)), content);
  return [...events, ...failures, ...(kept ? [] : ['something in it is not known'])];
};

/**
 * Cards, each with what bulkd says of it if it refuses it. `cargo test` holds bulkd to them. What the schema alone
 * refuses the library shows as nothing.
 */
const CARDS = JSON.parse(readFileSync(path.join(import.meta.dirname, 'cards.json')));

const block = (given) => ({ channel: 'C1', text: 't', blocks: [given] });
const textBlock = (given) => ({ $schema: 'http://adaptivecards.io/schemas/adaptive-card.json', type: 'AdaptiveCard', version: '1.5', body: [given] });

/** What a library reads: what it says of the samples, which is nothing, and of what is bad. */
const readers = {
  '@slack/types': {
    good: () => ['slack', 'slack-plain'].map(sample),
    read: (message) =>
      typed(`import type { KnownBlock } from '@slack/types';\nconst message: { channel?: string; text: string; blocks: KnownBlock[] } = ${JSON.stringify(message)};`),
    bad: [
      block({ type: 'sectoin', text: { type: 'mrkdwn', text: 'x' } }),
      block({ type: 'header', text: { type: 'mrkdwn', text: 'x' } }),
      block({ type: 'image', image_url: 'https://acme.example/a.png' }),
      block({ type: 'actions', elements: [{ type: 'button', url: 'https://acme.example' }] }),
      block({ type: 'section', text: { type: 'mrkdwn', text: 'x' }, colour: 'red' }),
      { channel: 'C1', blocks: [] },
    ],
  },
  adaptivecards: {
    good: () => [
      ...['msteams', 'msteams-overridden-by-an-alias'].map((name) => sample(name).attachments[0].content),
      ...CARDS.filter((it) => !it.refused).map((it) => it.card),
    ],
    read: card,
    bad: [
      textBlock({ type: 'TextBlokk', text: 'x' }),
      textBlock({ type: 'TextBlock', text: 'x', size: 'Huge' }),
      textBlock({ type: 'TextBlock', text: 'x', colour: 'red' }),
      textBlock({ type: 'ActionSet', actions: [{ type: 'Action.Open', title: 'x', url: 'https://acme.example' }] }),
      { ...textBlock({ type: 'TextBlock', text: 'x' }), version: '9.9' },
      ...CARDS.filter((it) => it.refused && it.by !== 'schema').map((it) => it.card),
    ],
  },
  // Method, address and headers have to be such that a client can send them.
  fetch: {
    good: () => readdirSync(folder).map((file) => sample(file.replace(/\.json$/, ''))).filter((it) => it.url && it.method && it.headers),
    read: ({ method, url, headers }) => {
      try {
        new Request(url, { method, headers, body: 'x' });
        return [];
      } catch (error) {
        return [error.message];
      }
    },
    bad: [
      { method: 'GET', url: 'https://acme.example', headers: {} },
      { method: 'POST', url: 'acme.example', headers: {} },
      { method: 'POST', url: 'https://acme.example', headers: { 'X Kind': 'a' } },
      { method: 'POST', url: 'https://acme.example', headers: { 'X-Kind': 'a\r\nb' } },
    ],
  },
  // The library looks at a message before it sends it.
  'firebase-admin': {
    good: () => ['fcm', 'fcm-overridden'].map((name) => sample(name).message),
    read: async (message) => {
      try {
        await firebase().send(message);
        return [];
      } catch (error) {
        return /invalid-(payload|argument)/.test(error.code) ? [error.message] : [];
      }
    },
    bad: [
      { token: 't', data: { order: 7 } },
      { notification: { title: 'x' } },
      { token: 't', notification: { imageUrl: 'a.png' } },
      { token: 't', android: { notification: { imageUrl: 'a.png' } } },
      { token: 't', apns: { fcmOptions: { imageUrl: 'a.png' } } },
      { token: 't', data: 'x' },
      { token: 't', android: { ttl: 'soon' } },
    ],
  },
  mailparser: {
    good: () => ['smtp', 'smtp-full', 'smtp-inline', 'smtp-attachments'],
    read: async (given) => {
      const { name, data } = typeof given === 'string' ? { name: given, data: sample(given).data } : given;
      const mail = await require('mailparser').simpleParser(data, { skipImageLinks: true });
      const one = (it) => it?.value.map(({ name, address }) => (name ? `${name} <${address}>` : address));
      const found = {
        from: one(mail.from), to: one(mail.to), cc: one(mail.cc), replyTo: one(mail.replyTo), subject: mail.subject, text: mail.text,
        html: mail.html, messageId: mail.messageId, bcc: one(mail.bcc), kind: mail.headers.get('x-kind') ?? mail.headers.get('x-campaign'),
        files: mail.attachments.map((it) => [it.filename, it.contentType, it.content.toString('hex'), it.contentDisposition, it.cid, it.related]),
      };
      const expected = { messageId: `<${ID}@bulkd.localhost>`, files: [], ...MAILS[name] };
      for (const key of Object.keys(found)) found[key] === undefined && delete found[key];
      return isDeepStrictEqual(found, expected) ? [] : [`${JSON.stringify(found)}\n  ours ${JSON.stringify(expected)}`];
    },
    bad: () => ['smtp', 'smtp-full', 'smtp-inline', 'smtp-attachments'].flatMap((name) => {
      const { data } = sample(name);
      const changed = [
        data.replace('Subject: ', 'Subject: x'),
        data.replace('From: ', 'X-From: '),
        data.replace('multipart/alternative', 'multipart/mixed').replace('charset=utf-8', 'charset=latin1'),
        data.replace(/^To: /m, 'Bcc: '),
        data.replace(/filename/, 'filenam'),
        data.replace('Content-ID: <logo>', 'Content-ID: <other>'),
        data.replaceAll('--bulkd-', '--other-'),
      ];
      return changed.filter((it) => it !== data).map((data) => ({ name, data }));
    }),
  },
};

/** What the parser finds; a type that is not told it takes from the file's name. */
const MAILS = {
  smtp: {
    from: ['Jörg <joerg@acme.example>'], to: ['ada@example.com'], subject: 'Grüße, Ada', text: 'Übergrößenträger\n\nZwei',
    html: '<!doctype html><p>Übergrößenträger</p>', kind: '=?utf-8?b?RnLDvGhsaW5n?=',
  },
  'smtp-full': {
    from: ['Acme, Inc. <x@example.com>'], to: ['ada@bücher.example'], cc: ['Lovelace, Ada <cc@example.com>'], replyTo: [HELP], subject: 'Hi', text: 'Hello',
    html: HTML, kind: 'test',
    files: [
      ['logo.png', 'image/png', '000102', 'inline', 'logo', true],
      ['a.txt', 'text/plain', '68656c6c6f', 'attachment', undefined, undefined],
      ['b.txt', 'text/plain', '706c61696e', 'attachment', undefined, undefined],
    ],
  },
  'smtp-inline': {
    from: ['Acme, Inc. <x@example.com>'], to: ['ada@bücher.example'], subject: 'Hi', text: 'Hello', html: '<!doctype html><img src="cid:logo">',
    files: [
      ['logo.png', 'image/png', '68656c6c6f', 'inline', 'logo', true],
      ['b.txt', 'text/plain', '706c61696e', 'attachment', undefined, undefined],
    ],
  },
  'smtp-attachments': {
    from: ['no-reply@example.com'], to: ['ada@example.com'], subject: 'S', text: 'Hi', html: '<!doctype html><p>Hi</p>',
    files: [
      ['grüße.txt', 'text/plain', '68656c6c6f', 'attachment', undefined, undefined],
      ['x.bin', 'application/octet-stream', '000102', 'attachment', undefined, undefined],
    ],
  },
};

/** What of a caught request is not as a sample has it. */
function differences(expected, { made, ours, url, headers: compared }) {
  const problems = [];
  const body = (made ?? JSON.parse)(caught.body);
  // A form that is a body alone says neither how nor where.
  const whole = url ? { method: 'POST', url, headers: {}, body: expected } : expected;
  const own = ours ? ours(whole.body) : whole.body;
  if (caught.method !== whole.method) problems.push(`method ${caught.method}, ours ${whole.method}`);
  if (new URL(caught.url).href.split('?')[0] !== whole.url) problems.push(`URL ${caught.url}, ours ${whole.url}`);
  const { 'x-meant': _, ...headers } = caught.headers;
  for (const [header, value] of Object.entries(whole.headers)) {
    const found = headers[header.toLowerCase()];
    if (found === undefined) problems.push(`header ${header} is not sent`);
    else if ((compared?.test(header) || /^authorization|token/i.test(header)) && `${found}` !== value) problems.push(`header ${header}: ${found}, ours ${value}`);
    else if (/^content-type$/i.test(header) && found.split(';')[0] !== value) problems.push(`header ${header}: ${found}, ours ${value}`);
  }
  if (!isDeepStrictEqual(body, own)) problems.push(`body ${JSON.stringify(body)}\n  ours ${JSON.stringify(own)}`);
  return problems;
}

/** The value once for each of its leaves, with that one changed. */
function* changed(value, at = []) {
  if (value !== null && typeof value === 'object') {
    for (const key of Object.keys(value)) {
      for (const [place, other] of changed(value[key], [...at, key])) {
        const copy = Array.isArray(value) ? [...value] : { ...value };
        copy[key] = other;
        yield [place, copy];
      }
    }
  } else {
    yield [at.join('.'), typeof value === 'string' ? `${value}x` : typeof value === 'number' ? value + 1 : 'x'];
  }
}

let [passed, failed] = [0, 0];
const told = (name, problems) => {
  console.log(`${problems.length ? 'FAILED' : 'ok    '} ${name}`);
  problems.forEach((problem) => console.log(`  ${problem}`));
  problems.length ? failed++ : passed++;
};
for (const [name, given] of Object.entries(checks)) {
  const check = typeof given === 'function' ? { call: given } : given;
  const expected = sample(name);
  caught = undefined;
  let error;
  try {
    await check.call(expected);
  } catch (thrown) {
    // Of what is answered the libraries may make what they like.
    error = thrown;
  }
  const problems = caught ? differences(expected, check) : [`nothing was sent: ${error?.stack ?? 'no error'}`];
  if (!problems.length && !check.ours) {
    const whole = check.url ? expected : expected.body;
    for (const [place, other] of changed(whole)) {
      const sample = check.url ? other : { ...expected, body: other };
      if (!differences(sample, check).length) problems.push(`another value at ${place} was not found`);
    }
  }
  told(name, problems);
}
for (const [name, { good, read, bad }] of Object.entries(readers)) {
  const problems = [];
  for (const given of good()) problems.push(...(await read(given)).map((problem) => `${problem}: ${JSON.stringify(given).slice(0, 2000)}`));
  for (const given of typeof bad === 'function' ? bad() : bad) {
    if (!(await read(given)).length) problems.push(`was taken: ${JSON.stringify(given).slice(0, 2000)}`);
  }
  told(name, problems);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
