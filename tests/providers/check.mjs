// Holds the requests in tests/requests against those that the providers' own libraries make of the same message.
//
//   npm ci && node check.mjs FOLDER
//
// FOLDER has the samples: what a test of bulkd expects is what bulkd answers. A library is called as its documentation has
// it, and what it would send is caught on its way out: method, URL and body have to be those of the sample. What only one
// of the two can know (ids of messages, what is left out or the default) is named here.

import { readFileSync } from 'node:fs';
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

/** For each sample: the library's call, and how its body and the sample's are brought to one form. */
const checks = {
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
      FromEmailAddress: FROM, ReplyToAddresses: [HELP],
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
      headers: { 'X-Kind': 'test' },
      attachments: files(([filename, contentType, content, contentId]) => ({ filename, contentType, content, contentId })),
    }),
  sparkpost: () => {
    const SparkPost = require('sparkpost');
    const file = ([name, type, data, id]) => ({ name: id ?? name, type, data });
    const copy = (address) => ({ address: { ...address, header_to: TO } });
    return new SparkPost('API_KEY').transmissions.send({
      content: {
        from: { email: 'x@example.com', name: 'Acme, Inc.' }, subject: 'Hi', text: 'Hello', html: HTML, reply_to: HELP,
        headers: { CC, 'X-Kind': 'test' }, attachments: files(file).slice(0, 2), inline_images: files(file).slice(2),
      },
      recipients: [{ address: { email: TO } }, copy({ email: 'cc@example.com', name: 'Lovelace, Ada' }), copy({ email: 'b@example.com' })],
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
    return rest.post('/channels/768866348853383208/messages', { body: { content } });
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

let [passed, failed] = [0, 0];
for (const [name, check] of Object.entries(checks)) {
  const { call, made, ours } = typeof check === 'function' ? { call: check } : check;
  caught = undefined;
  let error;
  try {
    await call();
  } catch (thrown) {
    // Of what is answered the libraries may make what they like.
    error = thrown;
  }
  const expected = sample(name);
  const problems = [];
  if (!caught) {
    problems.push(`nothing was sent: ${error?.stack ?? 'no error'}`);
  } else {
    const body = (made ?? JSON.parse)(caught.body);
    const own = ours ? ours(expected.body) : expected.body;
    if (caught.method !== expected.method) problems.push(`method ${caught.method}, ours ${expected.method}`);
    if (new URL(caught.url).href.split('?')[0] !== expected.url) problems.push(`URL ${caught.url}, ours ${expected.url}`);
    const { 'x-meant': _, ...headers } = caught.headers;
    for (const [header, value] of Object.entries(expected.headers)) {
      const found = headers[header.toLowerCase()];
      if (found === undefined) problems.push(`header ${header} is not sent`);
      else if (/^authorization|token/i.test(header) && found !== value) problems.push(`header ${header}: ${found}, ours ${value}`);
      else if (/^content-type$/i.test(header) && found.split(';')[0] !== value) problems.push(`header ${header}: ${found}, ours ${value}`);
    }
    if (!isDeepStrictEqual(body, own)) problems.push(`body ${JSON.stringify(body)}\n  ours ${JSON.stringify(own)}`);
  }
  console.log(`${problems.length ? 'FAILED' : 'ok    '} ${name}`);
  problems.forEach((problem) => console.log(`  ${problem}`));
  problems.length ? failed++ : passed++;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
