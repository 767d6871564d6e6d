// What the page looks like and does, in a real browser on a real daemon.
//
//   node stories.mjs BULKD FOLDER CHROMIUM [NAME...]
//
// Pictures are left in the folder. The last line is "N stories, N problems".

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { job, over, start } from './daemon.mjs';
import { everything } from './samples.mjs';

// Unlike `import` this finds what NODE_PATH leads to.
const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const [binary, folder, browserPath, ...wanted] = process.argv.slice(2);
/** The numbers of the stories in CI, or smaller ones. */
const isLong = process.env.BULKD_TEST_LONG === '1';
const PATIENCE = Number(process.env.BULKD_PAGE_PATIENCE ?? 60_000);

let problems = 0;
const problem = (text) => {
  problems++;
  console.error(`    ${text}`);
};
const check = (is, text) => is || problem(text);
const equal = (found, expected, text) => check(JSON.stringify(found) === JSON.stringify(expected), `${text}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);

const browser = await chromium.launch({ executablePath: browserPath, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] });

/** A page that reports what its console says is wrong. */
async function open(daemon, hash = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on('pageerror', (error) => problem(`the page failed: ${error.stack}`));
  page.on('console', (message) => {
    // What is refused is told to who reads the page; the sandbox says that it holds.
    if (message.type() === 'error' && !/sandboxed|status of (4|5)\d\d|ERR_CONNECTION|Content Security Policy/.test(message.text())) problem(`the console says: ${message.text()}`);
  });
  await page.goto(`${daemon.url}/${hash}`);
  return page;
}

/** A picture, and what axe says of the page. */
async function picture(page, name) {
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  for (const { id, impact, nodes } of violations.filter((it) => ['serious', 'critical'].includes(it.impact))) {
    problem(`${name}: ${id} (${impact}): ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 140)} ${node.any[0]?.message ?? node.failureSummary ?? ''}`).join('; ')}`);
  }
}

/** Waits until the address has this in it. */
async function comesTo(page, part) {
  for (const end = Date.now() + PATIENCE; !page.url().includes(part); ) {
    if (Date.now() > end) throw new Error(`the address is still ${page.url()}, without ${part}`);
    await page.waitForTimeout(20);
  }
}

/** The frames of so many milliseconds, and how often what they show of a job went on. */
const frames = (page, millis) => page.evaluate((millis) => new Promise((resolve) => {
  const begun = performance.now();
  let [last, longest, count, seen, steps] = [begun, 0, 0, '', 0];
  const step = (now) => {
    longest = Math.max(longest, Math.round(now - last));
    last = now;
    count++;
    const shown = document.querySelector('.job-head [role=progressbar]')?.ariaValueNow ?? '';
    if (shown !== seen) steps++;
    seen = shown;
    if (now - begun > millis) resolve({ longest, count, steps });
    else requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}), millis);

/** How well the words of this can be read on what is behind them, as WCAG counts it. */
const contrast = (locator) => locator.evaluate((it) => {
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const { color, backgroundColor } = window.getComputedStyle(it);
  const [less, more] = [light(color), light(backgroundColor)].sort((a, b) => a - b);
  return (more + 0.05) / (less + 0.05);
});

const text = (page, selector) => page.locator(selector).first().innerText();

const stories = {
  async 'from nothing to the first message'() {
    const daemon = await start(binary);
    const page = await open(daemon);
    await page.getByText('Nothing was sent yet').waitFor();
    check((await page.locator('.start pre').first().innerText()) === `export COURIER_BASE_URL=${daemon.url}`, 'the variable is not told');
    await picture(page, 'empty');
    if (process.env.BULKD_PAGE_PYTHON) {
      const program = 'from courier import Courier\nCourier().send.message(message={"to": {"email": "ada@example.com"}, "content": {"title": "Hello Ada", "body": "The first message"}})';
      await promisify(execFile)(process.env.BULKD_PAGE_PYTHON, ['-c', program], { env: { ...process.env, COURIER_BASE_URL: daemon.url, COURIER_API_KEY: 'first' } });
    } else {
      await daemon.call('POST', '/send', { message: { to: { email: 'ada@example.com' }, content: { title: 'Hello Ada', body: 'The first message' } } }, 'first');
    }
    await page.locator('#outbox-list .row').first().waitFor();
    check((await text(page, '#outbox-list .row')).includes('Hello Ada'), 'the first message is not shown');
    await page.keyboard.press('j');
    await page.locator('article.message').waitFor();
    await picture(page, 'first-message');
    await page.context().close();
    await daemon.stop();
  },

  async 'a job is watched'() {
    const daemon = await start(binary);
    const users = isLong ? 100_000 : 20_000;
    await daemon.call('PUT', '/_bulkd/lifecycle', { mode: 'paced', per_second: users / 4 });
    const jobId = await job(daemon, users, { run: false });
    const page = await open(daemon, `#/jobs/${jobId}`);
    await page.getByRole('button', { name: 'Run' }).click();
    const bar = page.locator('.job-head [role=progressbar]');
    // Nothing looks at the page meanwhile that would take its time.
    const watched = await frames(page, 5500);
    console.log(`    the longest frame was ${watched.longest} ms of ${watched.count}`);
    await page.locator('.job-head .pill', { hasText: 'Completed' }).waitFor();
    equal(await bar.getAttribute('aria-valuenow'), String(users), 'users who had their turn');
    check(watched.steps > 5, `its progress was seen ${watched.steps} times`);
    const outbox = await open(daemon, '#/outbox');
    await outbox.locator('#outbox-list .row').first().waitFor();
    const other = await job(daemon, users, { run: false });
    await daemon.call('POST', `/bulk/${other}/run`, {});
    console.log(`    beside the outbox it was ${(await frames(outbox, 5500)).longest} ms`);
    await outbox.locator('#outbox-list .row .who', { hasText: `reader-${users - 1}` }).waitFor();
    await outbox.context().close();
    // Half of a job stands still for its picture.
    await daemon.call('PUT', '/_bulkd/lifecycle', { mode: 'manual' });
    const half = await job(daemon, 1000);
    await page.evaluate((to) => (location.hash = to), `#/jobs/${half}`);
    await page.locator('.job-head .pill', { hasText: 'Running' }).waitFor();
    await daemon.call('POST', '/_bulkd/step', { job_id: half, users: 400 });
    await page.locator('.job-head [aria-valuenow="400"]').waitFor();
    await page.locator('#job-users .pill', { hasText: 'Sent' }).first().waitFor();
    await picture(page, 'job-running');
    await page.evaluate((to) => (location.hash = to), `#/jobs/${jobId}`);
    await page.locator('.job-head [aria-valuenow="' + users + '"]').waitFor();
    // From end to end.
    const list = page.locator('#job-users');
    await list.focus();
    await page.keyboard.press('End');
    await page.locator('#job-users .row .who', { hasText: `reader-${users - 1}` }).waitFor();
    await page.locator('input.place').fill(String(users / 2));
    await page.keyboard.press('Enter');
    await page.locator('#job-users .row .who', { hasText: `reader-${users / 2 - 1}` }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('article.message').waitFor();
    await picture(page, 'job');
    await page.keyboard.press('Escape');
    await page.locator('article.message').waitFor({ state: 'hidden' });
    await page.context().close();
    await daemon.stop();
  },

  async 'a million users are scrolled from end to end'() {
    const daemon = await start(binary);
    const jobId = await job(daemon, 1);
    const page = await open(daemon);
    // What the daemon would say of a million, said by the browser's door: the page is what is looked at.
    const total = 1_000_000;
    const user = (at) => ({ at, recipient: `reader-${at}`, status: 'PENDING', user: {} });
    await page.route(/_bulkd\/jobs\/1-[^/]*\/users/, (route) => {
      const { searchParams } = new URL(route.request().url());
      const [at, limit] = [Number(searchParams.get('at')), Number(searchParams.get('limit'))];
      return route.fulfill({ json: { items: Array.from({ length: Math.min(limit, total - at) }, (_, i) => user(at + i)), total } });
    });
    await page.evaluate((to) => (location.hash = to), `#/jobs/${jobId}`);
    const list = page.locator('#job-users');
    await list.locator('.who', { hasText: 'reader-0' }).first().waitFor();
    const height = await list.evaluate((it) => it.scrollHeight);
    check(height <= 16_000_000, `the list is ${height} pixels high`);
    const longest = await list.evaluate(async (it) => {
      let [last, most] = [performance.now(), 0];
      for (let at = 0; at <= 200; at++) {
        it.scrollTop = (it.scrollHeight * at) / 200;
        const now = await new Promise(requestAnimationFrame);
        most = Math.max(most, now - last);
        last = now;
      }
      return most;
    });
    console.log(`    the longest frame was ${Math.round(longest)} ms`);
    await list.locator('.who', { hasText: 'reader-999999' }).waitFor();
    await list.focus();
    for (const [key, name] of [['Home', 'reader-0'], ['PageDown', 'reader-1'], ['End', 'reader-999999'], ['ArrowUp', 'reader-999998']]) {
      await page.keyboard.press(key);
      await list.locator('.row[aria-selected=true] .who', { hasText: name }).waitFor();
    }
    const seen = await list.evaluate((it) => [...it.querySelectorAll('.row')].filter((row) => row.getBoundingClientRect().bottom <= it.getBoundingClientRect().bottom + 1).map((row) => Number(row.dataset.at)));
    check(seen.every((at, i) => !i || Math.abs(at - seen[i - 1]) >= 1) && seen.includes(999_999), 'the last rows are not seen whole');
    await page.locator('input.place').fill('500000');
    await page.keyboard.press('Enter');
    await list.locator('.row[aria-selected=true] .who', { hasText: 'reader-499999' }).waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'one message is found among many while typing'() {
    const daemon = await start(binary);
    const users = isLong ? 1_000_000 : 50_000;
    const jobId = await job(daemon, users, { batch: 5000, message: { event: 'weekly', content: { title: 'Hello {{name}}', body: 'Week 12' } }, user: (i) => ({ recipient: `reader-${i}`, profile: { email: `reader-${i}@example.com` }, data: { name: i === 321 ? 'Hildegard' : 'Reader' } }) });
    await daemon.call('POST', '/_bulkd/wait', { job_id: jobId, timeout_ms: 60000 });
    const page = await open(daemon, '#/outbox');
    await page.locator('#outbox-list .row').first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('hildegard', { delay: 20 });
    await page.locator('#outbox-list .row', { hasText: 'Hello Hildegard' }).waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.locator('article.message h2', { hasText: 'Hello Hildegard' }).waitFor();
    check(page.url().includes('q=hildegard'), 'the address does not name the search');
    await picture(page, 'search');
    // A filter is typed as a word of the search.
    await page.keyboard.press('/');
    await page.keyboard.type('channel:sms ', { delay: 10 });
    await comesTo(page, 'channel=sms');
    await page.getByText('No matches').waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'a list is looked up one page at a time'() {
    const daemon = await start(binary);
    await over(daemon, await job(daemon, 3));
    const page = await open(daemon, '#/outbox');
    await page.locator('#outbox-list .row').nth(2).waitFor();
    // Pages as they come where few of many fit: short ones, and one message stands on both sides of a page's end.
    const asked = [];
    await page.route(/_bulkd\/outbox\?.*q=few/, (route) => {
      const at = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
      asked.push(at);
      const entry = (number, channel) => ({ message_id: `1-few-${number}`, recipient: `few-${number}`, channel, provider: 'twilio', status: 'SENT', subject: 'Few', body: '', created_at: 1 });
      const own = Array.from({ length: 3 }, (_, i) => entry(at * 4 + i, 'email'));
      const items = [...(at ? [entry(at * 4 - 1, 'sms')] : []), ...own, entry(at * 4 + 3, 'email')];
      return route.fulfill({ json: { items, paging: at < 5 ? { more: true, cursor: String(at + 1) } : { more: false } } });
    });
    await page.keyboard.press('/');
    await page.keyboard.type('few');
    await page.getByText('24 messages', { exact: true }).waitFor();
    equal(asked, [0, 1, 2, 3, 4, 5], 'pages that were asked for');
    const names = await page.locator('#outbox-list .row .who').allInnerTexts();
    equal([...names].sort(), Array.from({ length: 24 }, (_, i) => `few-${i}`).slice(0, names.length).sort(), 'each is shown once');
    equal(await page.locator('#outbox-list .row small').count(), 5, 'messages of two entries');
    await page.context().close();
    await daemon.stop();
  },

  async 'an answer that comes late puts nothing old before what is new'() {
    const daemon = await start(binary);
    await over(daemon, await job(daemon, 3));
    const page = await open(daemon, '#/outbox');
    await page.locator('#outbox-list .row').nth(2).waitFor();
    // Nothing is answered until that is said.
    const held = [];
    const hold = (pattern) => page.route(pattern, (route) => new Promise((resolve) => held.push({ url: route.request().url(), go: () => resolve(route.continue().catch(() => {})) })));
    const comes = async (part) => {
      for (const end = Date.now() + PATIENCE; ; await page.waitForTimeout(20)) {
        const found = held.findIndex(({ url }) => url.includes(part));
        if (found >= 0) return held.splice(found, 1)[0];
        if (Date.now() > end) throw new Error(`nobody asks for ${part}`);
      }
    };
    const outboxes = /_bulkd\/outbox\?/;
    await hold(outboxes);
    await page.keyboard.press('/');
    await page.keyboard.type('new');
    const first = await comes('q=new');
    // It listens before there is anything to hear.
    await page.evaluate(async () => {
      const { listen } = await import(document.querySelector('script[type=module]').src.replace('app.js', 'live.js'));
      window.heard = new Promise((resolve) => listen(document.body, (news) => news.made && resolve()));
    });
    await daemon.call('POST', '/send', { message: { to: { email: 'new@example.com' }, content: { title: 'New', body: 'b' } } });
    // And then longer than any pause between looks.
    await page.evaluate(() => window.heard.then(() => new Promise((resolve) => setTimeout(resolve, 600))));
    equal(held.filter(({ url }) => url.includes('after=')).length, 0, 'what is asked beside the new list');
    first.go();
    (await comes('after=')).go();
    await page.getByText('1 message', { exact: true }).waitFor();
    equal(await page.locator('#outbox-list .who').allInnerTexts(), ['new@example.com'], 'the new list');
    // A view that is left while it looks something up is gone.
    await page.locator('#outbox-list').focus();
    await page.keyboard.press('Escape');
    const late = await comes('outbox?');
    await page.evaluate(() => (location.hash = '#/bench/journal'));
    await page.locator('#journal .row').first().waitFor();
    late.go();
    await page.unroute(outboxes);

    // The first question would find all, had it not been replaced.
    const requests = page.locator('#journal .row');
    await requests.first().waitFor();
    await page.route('**/*q=one*', async (route) => {
      await new Promise((resolve) => held.push({ url: 'q=one', go: resolve }));
      await route.continue({ url: route.request().url().replace('q=one', '') }).catch(() => {});
    });
    await page.getByLabel('Search requests').fill('one');
    const old = await comes('q=one');
    const answered = page.waitForResponse((answer) => answer.url().includes('q=two'));
    await page.getByLabel('Search requests').fill('two');
    await answered;
    old.go();
    await page.waitForTimeout(300);
    equal(await requests.count(), 0, 'what the last question finds');
    await page.context().close();
    await daemon.stop();
  },

  async 'an e-mail with a script in it does nothing'() {
    const daemon = await start(binary);
    const asked = [];
    const remote = createServer((request, answer) => {
      asked.push(request.url);
      answer.end();
    }).listen(0, '127.0.0.1');
    await once(remote, 'listening');
    const evil = `<!doctype html><html><body><h1>Evil</h1><script>parent.document.title="owned";document.body.textContent="ran"</script><img src="http://127.0.0.1:${remote.address().port}/pixel.png" onerror="document.body.textContent='ran'"><a href="javascript:document.title=1">x</a><meta http-equiv="refresh" content="0;url=/"><form action="/_bulkd/reset" method="post"><button>x</button></form></body></html>`;
    const { requestId } = await daemon.call('POST', '/send', { message: { to: { email: 'ada@example.com', user_id: '<img src=x onerror=alert(1)>' }, content: { version: '2022-01-01', elements: [{ type: 'meta', title: '<b>Bold</b><script>alert(1)</script>' }, { type: 'html', content: evil }] } } });
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    page.on('dialog', (dialog) => {
      problem(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(`${daemon.url}/#/outbox/${requestId}`);
    const frame = page.frameLocator('iframe');
    await frame.locator('h1', { hasText: 'Evil' }).waitFor();
    await page.waitForTimeout(300);
    check(!(await page.title()).includes('owned'), 'the script has reached the page');
    check((await frame.locator('body').innerText()).includes('Evil'), 'the script has run in the frame');
    check(!asked.length, 'a remote image was loaded unasked');
    check((await page.locator('main img, main script, main form[action]').count()) === 0, 'a message has become markup of the page');
    const blocked = await page.evaluate(() => {
      try {
        document.body['inner' + 'HTML'] = '<p>x</p>';
        return false;
      } catch {
        return true;
      }
    });
    check(blocked, 'text can become markup');
    await page.screenshot({ path: join(folder, 'script.png') });
    await page.getByRole('button', { name: 'Show remote images' }).click();
    await page.locator('iframe[src*="images=true"]').waitFor();
    for (let looks = 0; looks < 200 && !asked.length; looks++) await page.waitForTimeout(25);
    check(asked.length > 0, 'a remote image is not loaded when that is asked for');
    remote.close();
    await context.close();
    await daemon.stop();
  },

  async 'a job is composed from a CSV with bad rows'() {
    const daemon = await start(binary);
    await job(daemon, 1);
    const page = await open(daemon, '#/compose');
    const csv = 'user_id,email,name,plan\nada,ada@example.com,Ada,Team\nbob,not an address,Bob,Free\n"grace","grace@example.com","Grace, Admiral",Free\nada,other@example.com,Ada,Team\nonly,three,cells\n';
    await page.getByLabel('Users as CSV or JSON lines').fill(csv);
    await page.getByText('3 rows left out').waitFor();
    await page.getByLabel('Title').fill('Hi {{name}}');
    await page.frameLocator('iframe').locator('body', { hasText: 'Team plan' }).waitFor();
    await page.locator('.subject', { hasText: 'Hi Ada' }).waitFor();
    await page.locator('#compose-users .row', { hasText: 'grace' }).click();
    await page.locator('.subject', { hasText: 'Hi Grace, Admiral' }).waitFor();
    await picture(page, 'compose');
    check(!(await text(page, 'main')).includes('No data for'), 'data is missed that is there');
    await page.getByLabel('Title').fill('Hi {{name}} of {{team}} and {{team}}');
    await page.getByText('No data for team', { exact: true }).waitFor();
    await page.getByLabel('Title').fill('Hi {{name}}');
    await page.getByText('No data for team').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Send to 2 users' }).click();
    await page.locator('.job-head .pill', { hasText: 'Completed' }).waitFor();
    await page.locator('#job-users .who').nth(1).waitFor();
    equal((await page.locator('#job-users .who').allInnerTexts()).sort(), ['ada', 'grace'], 'the users of the job');
    await picture(page, 'composed');
    await page.context().close();
    await daemon.stop();
  },

  async 'addresses alone are users enough'() {
    const daemon = await start(binary);
    await job(daemon, 1);
    const page = await open(daemon, '#/compose');
    const field = page.getByLabel('Users as CSV or JSON lines');
    const send = (users) => page.getByRole('button', { name: `Send to ${users}`, exact: true });
    await field.fill('me@my.org');
    await send('1 user').waitFor();
    // What the text asks for and nobody has given is named.
    await page.getByText('No data for name, plan', { exact: true }).waitFor();
    await field.fill('me@my.org\nyou@my.org, they@my.org\nnobody\n');
    await send('3 users').waitFor();
    await page.getByText('1 row left out').waitFor();
    await page.locator('#compose-users .row', { hasText: '‘nobody’ is no e-mail address' }).waitFor();
    await picture(page, 'compose-addresses');
    // A first line that names no columns, or nothing but columns.
    for (const head of ['me@my.org,Me\nyou@my.org,You', 'email,name', 'Me']) {
      await field.fill(head);
      await page.locator('#compose-users .row', { hasText: 'the first line names the columns' }).waitFor();
      check(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled(), `‘${head}’ can be sent`);
    }
    await field.fill('me@my.org');
    await send('1 user').click();
    await page.locator('.job-head .pill', { hasText: 'Completed' }).waitFor();
    await page.locator('#job-users .who', { hasText: 'me@my.org' }).waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'those who got nothing are a click from their job'() {
    const daemon = await start(binary);
    await daemon.call('PUT', '/users/reader-4/preferences/news', { topic: { status: 'OPTED_OUT' } });
    const jobId = await job(daemon, 6, {
      message: { event: 'weekly', content: { title: 'Hello', body: 'b' }, routing: { method: 'single', channels: ['email'] }, preferences: { subscription_topic_id: 'news' } },
      user: (i) => ({ recipient: `reader-${i}`, profile: i < 2 ? { phone_number: `+1555555010${i}` } : { email: `reader-${i}@example.com` } }),
    });
    await over(daemon, jobId);
    const page = await open(daemon, `#/jobs/${jobId}`);
    const names = async () => (await page.locator('#outbox-list .who').allInnerTexts()).sort();
    await page.getByRole('link', { name: '2 Unroutable' }).click();
    await comesTo(page, 'status=UNROUTABLE');
    await page.getByText('2 messages', { exact: true }).waitFor();
    equal(await names(), ['reader-0', 'reader-1'], 'who is unroutable');
    await page.goBack();
    // Nobody failed, and who asks for those finds the others.
    await page.getByRole('button', { name: 'Failed 0' }).click();
    await page.locator('.users .over a').nth(1).waitFor();
    equal(await page.locator('.users .over a').allInnerTexts().then((them) => them.map((it) => it.replace(/\s+/g, ' '))), ['2 Unroutable ›', '1 Undeliverable ›'], 'what became of the others');
    await picture(page, 'job-lost');
    check(!(await text(page, 'main')).includes('No way'), 'Unroutable has a second word');
    await page.locator('.users .over a', { hasText: 'Undeliverable' }).click();
    await page.getByText('1 message', { exact: true }).waitFor();
    equal(await names(), ['reader-4'], 'who is undeliverable');
    await page.context().close();
    await daemon.stop();
  },

  async 'a message tells why it came so, or not at all'() {
    const daemon = await start(binary);
    await daemon.call('PUT', '/users/bob/preferences/news', { topic: { status: 'OPTED_OUT' } });
    const send = async (to, message) => (await daemon.call('POST', '/send', { message: { to, content: { title: 'Hello', body: 'b' }, ...message } })).requestId;
    const [bob, ada, eve] = [
      await send({ user_id: 'bob', email: 'bob@example.com' }, { preferences: { subscription_topic_id: 'news' } }),
      await send({ user_id: 'ada' }, {}),
      await send({ user_id: 'eve', email: 'eve@example.com' }, { content: undefined, template: 'welcome' }),
    ];
    const page = await open(daemon, `#/outbox/${bob}`);
    await page.locator('.message-main .empty').waitFor();
    check((await text(page, '.ways')).includes('news'), `the opt-out does not name its topic: ${await text(page, '.ways')}`);
    const testCode = page.locator('.code', { hasText: 'httpx' });
    check((await testCode.innerText()).includes('def test_bob_is_undeliverable()'), 'the test has another name');
    check((await testCode.innerText()).includes('"status": "UNDELIVERABLE"'), 'the test asks for no status');
    // One that is beside the list is closed by a button.
    await page.getByRole('button', { name: 'Close' }).click();
    await page.locator('article.message').waitFor({ state: 'detached' });
    check(!page.url().includes(bob), 'the address still names the message');
    await page.evaluate((to) => (location.hash = to), `#/outbox/${ada}`);
    await page.locator('article.message .feed').waitFor();
    for (const words of ['no address for email', 'no address for sms']) check((await text(page, '.ways')).includes(words), `the way does not say: ${words}`);
    check((await testCode.innerText()).includes('def test_ada_is_told()'), 'the test of a message that went out has another name');
    await page.evaluate((to) => (location.hash = to), `#/outbox/${eve}`);
    await page.locator('.timeline', { hasText: 'welcome' }).waitFor();
    check(!(await text(page, '.timeline')).includes('found'), 'a template was found that is not stored');
    await page.context().close();
    await daemon.stop();
  },

  async 'what is composed would be taken by Courier'() {
    const daemon = await start(binary);
    // Nothing is there yet, not even an environment.
    const page = await open(daemon, '#/compose');
    await page.locator('.code', { hasText: '"event": "welcome"' }).waitFor();
    await page.getByRole('textbox', { name: 'Event' }).fill('weekly');
    await page.locator('.code', { hasText: '"event": "weekly"' }).waitFor();
    await page.getByRole('button', { name: 'Send to 2 users' }).click();
    await page.locator('.job-head .pill', { hasText: 'Completed' }).waitFor();
    await page.locator('#job-users .pill', { hasText: 'Sent' }).nth(1).waitFor();
    await comesTo(page, 'env=');
    const { items } = await daemon.call('GET', '/_bulkd/doctor', undefined, 'anything');
    equal(items.map((it) => it.check), [], 'what the doctor says of it');
    await page.context().close();
    await daemon.stop();
  },

  async 'the mark of the doctor is right when it is loaded and when it is not'() {
    const daemon = await start(binary);
    await over(daemon, await job(daemon, 1));
    const page = await open(daemon, '#/bench/doctor');
    await page.getByText('Nothing was found').waitFor();
    // A job that waits for its run is a finding until it runs.
    const jobId = await job(daemon, 1, { run: false });
    await page.locator('#doctor', { hasText: '1 finding would hurt or fail' }).waitFor();
    await page.locator('.finding', { hasText: 'never run' }).waitFor();
    await page.getByText('Everything else that passed here would be accepted.').waitFor();
    await page.locator('.finding').getByRole('link', { name: jobId }).click();
    await page.locator('.job-head .pill', { hasText: 'Not run' }).waitFor();
    await page.goBack();
    await daemon.call('POST', '/bulk', { message: { content: { title: 't', body: 'b' } } });
    await daemon.call('POST', '/send', { message: { to: { email: 'ada@example.com' }, template: 'unknown' } });
    await page.locator('#doctor', { hasText: '3 findings would hurt or fail' }).waitFor();
    await page.reload();
    await page.locator('#doctor', { hasText: '3 findings would hurt or fail' }).waitFor();
    equal(await page.locator('.finding:is(.error, .warn)').count(), 3, 'findings on its page');
    await daemon.call('POST', `/bulk/${jobId}/run`, {});
    await page.locator('#doctor', { hasText: '2 findings would hurt or fail' }).waitFor();
    // A route is said once, however much was seen on it.
    const routes = await page.locator('.finding').evaluateAll((them) => them.map((it) => [...it.querySelectorAll('p > code')].map((code) => code.textContent)));
    check(routes.every((of) => new Set(of).size === of.length), `routes are repeated: ${JSON.stringify(routes)}`);
    await page.context().close();
    await daemon.stop();
  },

  async 'an answer is lost and the retry is seen'() {
    const daemon = await start(binary);
    await job(daemon, 1);
    const page = await open(daemon, '#/bench/faults');
    const preset = page.locator('.preset', { hasText: 'lost-answer' });
    const before = await preset.boundingBox();
    await preset.click();
    await page.locator('.items li', { hasText: 'seen 0' }).waitFor();
    equal(await preset.boundingBox(), before, 'where the button is that was clicked');
    const definition = { message: { event: 'weekly', content: { title: 't', body: 'b' } } };
    await daemon.call('POST', '/bulk', definition).then(() => problem('the answer came'), () => {});
    const headers = { authorization: 'Bearer stories', 'content-type': 'application/json', 'x-stainless-retry-count': '1', 'x-stainless-lang': 'python', 'x-stainless-package-version': '9.13.0' };
    await fetch(`${daemon.url}/bulk`, { method: 'POST', headers, body: JSON.stringify(definition) });
    await page.locator('.items li.fired', { hasText: 'hit 1' }).waitFor();
    await picture(page, 'faults');
    // One of one's own.
    await page.getByLabel('Path').fill('/send');
    await page.getByLabel('Status').fill('500');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.locator('.items li', { hasText: '/send' }).waitFor();
    const failed = await fetch(`${daemon.url}/send`, { method: 'POST', headers: { authorization: headers.authorization }, body: '{}' });
    equal(failed.status, 500, 'the answer under the fault');
    await page.locator('.items li', { hasText: 'hit 1' }).nth(1).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await page.locator('.finding.error').first().waitFor();
    await page.locator('#doctor.error').waitFor();
    await picture(page, 'doctor');
    equal((await text(page, '.finding.error p.dim')).match(/POST \/bulk/g)?.length, 1, 'how often a finding names its route');
    await page.getByRole('link', { name: 'Journal' }).click();
    await page.locator('#journal .row', { hasText: 'retry 1' }).waitFor();
    await page.locator('#journal .row', { hasText: 'no answer' }).click();
    check(/"body": \{\s+"message": \{/.test(await text(page, '.journal-one pre')), 'a body in JSON is shown as a text');
    await picture(page, 'journal');
    await page.context().close();
    await daemon.stop();
  },

  async 'all that there is looks well'() {
    const daemon = await start(binary, '--test-clock');
    const made = await everything(daemon);
    const page = await open(daemon, `#/outbox/${made.email}`);
    await page.frameLocator('iframe').locator('h1', { hasText: 'Hello Ada' }).waitFor();
    await page.waitForTimeout(200);
    await picture(page, 'outbox');
    if (process.env.BULKD_PAGE_PICTURE) copyFileSync(join(folder, 'outbox.png'), process.env.BULKD_PAGE_PICTURE);
    for (const name of ['sms', 'push', 'inbox', 'slack', 'msteams', 'discord', 'refused']) {
      await page.evaluate((to) => (location.hash = to), `#/outbox/${made[name]}`);
      await page.locator('article.message .who, article.message .seen, article.message .empty').first().waitFor();
      await page.waitForTimeout(150);
      await picture(page, name);
    }
    for (const [name, hash] of [['jobs', '#/jobs'], ['templates', '#/templates'], ['brand', '#/templates/brand/acme'], ['clock', '#/bench/clock'], ['lifecycle', '#/bench/lifecycle'], ['snapshots', '#/bench/snapshots'], ['environment', '#/bench/environment']]) {
      await page.evaluate((to) => (location.hash = to), hash);
      await page.waitForTimeout(500);
      await picture(page, name);
    }
    await page.context().close();
    const dark = await open(daemon, `#/outbox/${made.email}`, { colorScheme: 'dark' });
    await dark.frameLocator('iframe').locator('h1', { hasText: 'Hello Ada' }).waitFor();
    await picture(dark, 'outbox-dark');
    await dark.context().close();
    const phone = await open(daemon, '#/outbox', { colorScheme: 'dark', viewport: { width: 400, height: 800 } });
    await phone.locator('#outbox-list .row').first().waitFor();
    await picture(phone, 'phone-dark');
    await phone.locator('#outbox-list .row').first().click();
    await phone.locator('article.message').waitFor();
    await picture(phone, 'phone-dark-message');
    for (const [name, hash] of [['jobs', '#/jobs'], ['job', `#/jobs/${made.job}`], ['compose', '#/compose'], ['templates', '#/templates'], ['doctor', '#/bench/doctor'], ['faults', '#/bench/faults']]) {
      await phone.evaluate((to) => (location.hash = to), hash);
      await phone.waitForTimeout(400);
      await picture(phone, `phone-dark-${name}`);
      const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
      check(wide <= 400, `${name}: the page is ${wide} pixels wide at 400`);
      const cut = await phone.evaluate(() => [...document.querySelectorAll('.pill, .side a, header.top :not(.sr)')].filter((it) => it.scrollWidth > it.clientWidth + 1 || it.getBoundingClientRect().right > innerWidth).filter((it) => it.clientWidth).map((it) => it.textContent));
      equal(cut, [], `${name}: what does not fit at 400`);
    }
    await phone.context().close();
    await daemon.stop();
  },

  async 'the keyboard alone is enough'() {
    const daemon = await start(binary);
    const made = await everything(daemon);
    const page = await open(daemon);
    await page.locator('#outbox-list .row').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await comesTo(page, '/outbox/1-');
    const second = await text(page, '#outbox-list .row[aria-selected=true] .who');
    equal(second, 'edsger', 'the second message');
    await page.keyboard.press('k');
    await page.locator('#outbox-list .row[aria-selected=true] .who', { hasText: 'ada' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('article.message').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.locator('dialog').waitFor();
    await picture(page, 'keys');
    check((await page.locator('dialog button').boundingBox()).width < 100, 'the button of the dialog is as wide as the dialog');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.locator('#job-list .row').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('#job-users .row').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('article.message').waitFor();
    check(page.url().includes(`/jobs/${made.job}/1-`), `the address is ${page.url()}`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.locator('#job-list .row[aria-selected=true]').waitFor();
    for (const [key, view] of [['t', 'templates'], ['c', 'compose'], ['b', 'bench'], ['o', 'outbox']]) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.locator(`main.view-${view}`).waitFor();
    }
    // Faults are a key away. The list that is made anew leaves the keyboard where it was.
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await page.locator('.items li', { hasText: 'lost-answer' }).waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel || document.activeElement?.textContent);
    for (let tabs = 0; tabs < 30 && !(await focused()).startsWith('Remove the fault'); tabs++) await page.keyboard.press('Tab');
    await daemon.call('POST', '/_bulkd/faults', { preset: 'rate-limited' });
    await page.locator('.items li', { hasText: 'rate-limited' }).waitFor();
    equal(await focused(), 'Remove the fault', 'where the keyboard is');
    await page.keyboard.press('Enter');
    await page.locator('.items li').nth(1).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Journal' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#journal .row').first().waitFor();
    equal(await focused(), 'Journal', 'where the keyboard is at the side');
    // The list of keys tells all of them.
    await page.keyboard.press('?');
    const told = await page.locator('dialog dt').allInnerTexts();
    for (const key of ['j k', 'Enter', 'Esc', '/', 'g o', 'g j', 'g t', 'g c', 'g b', 'g d', 'g f', 'Home End PageUp PageDown', '?']) check(told.some((it) => it.trim().split(/\s+/).join(' ') === key), `the list of keys does not tell ${key}`);
    await page.keyboard.press('Escape');
    await page.context().close();
    await daemon.stop();
  },

  async 'a button can be read under the pointer'() {
    const daemon = await start(binary, '--test-clock');
    const jobId = await job(daemon, 1, { run: false });
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(daemon, '', { colorScheme });
      for (const [hash, name] of [[`#/jobs/${jobId}`, 'Run'], ['#/compose', 'Send to 2 users'], ['#/bench/clock', 'Advance'], ['#/bench/clock', 'Stop'], ['#/bench/snapshots', 'Take'], ['#/bench/environment', 'Reset the environment']]) {
        await page.evaluate((to) => (location.hash = to), hash);
        const button = page.getByRole('button', { name, exact: true });
        await button.hover();
        const found = await contrast(button);
        check(found >= 4.5, `${name} in the ${colorScheme} has a contrast of ${found.toFixed(1)} under the pointer`);
      }
      await picture(page, `hover-${colorScheme}`);
      await page.context().close();
    }
    await daemon.stop();
  },

  async 'a clock that cannot be moved says so once'() {
    const daemon = await start(binary);
    await job(daemon, 1);
    const page = await open(daemon, '#/bench/clock');
    const hint = page.locator('main p', { hasText: '--test-clock' });
    await hint.waitFor();
    equal(await hint.count(), 1, 'hints');
    equal(await hint.evaluate((it) => window.getComputedStyle(it).fontSize), '13px', 'the size of the hint');
    for (const name of ['Stop', 'Run', 'Advance']) check(await page.getByRole('button', { name, exact: true }).isDisabled(), `${name} can be pressed`);
    await picture(page, 'clock-of-the-machine');
    await page.context().close();
    await daemon.stop();
  },

  async 'a life cycle asks for what its mode goes by'() {
    const daemon = await start(binary);
    await job(daemon, 1);
    const page = await open(daemon, '#/bench/lifecycle');
    const [pace, polls] = [page.getByLabel('Users a second', { exact: true }), page.getByLabel('Polls', { exact: true })];
    const set = () => page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.locator('select[name=mode]').selectOption('paced');
    check(!(await polls.isVisible()), 'polls are asked for where the pace is');
    await pace.fill('5');
    await set();
    await page.getByText('paced, 5 a second').waitFor();
    await page.locator('select[name=mode]').selectOption('polls');
    check(!(await pace.isVisible()), 'the pace is asked for where polls are');
    await polls.fill('2');
    await set();
    await page.getByText('polls, 2 polls').waitFor();
    await page.locator('select[name=mode]').selectOption('instant');
    await set();
    await page.locator('main b', { hasText: /^instant$/ }).waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'a search begins wherever one is'() {
    const daemon = await start(binary);
    const jobId = await job(daemon, 3);
    await over(daemon, jobId);
    for (const width of [1440, 400]) {
      const page = await open(daemon, '', { viewport: { width, height: 800 } });
      for (const hash of [`#/jobs/${jobId}`, '#/jobs', '#/templates', '#/bench/doctor']) {
        await page.evaluate((to) => (location.hash = to), hash);
        await page.locator(`main.view-${hash.split('/')[1]}`).waitFor();
        if (hash.includes(jobId)) {
          // A message of it that is read makes no difference.
          await page.locator('#job-users .row').first().click();
          await page.locator('article.message').waitFor();
        }
        await page.keyboard.type('/reader-1');
        await comesTo(page, 'q=reader-1');
        await page.getByText('1 message', { exact: true }).waitFor();
      }
      await page.context().close();
    }
    await daemon.stop();
  },

  async 'new messages move nothing that is read'() {
    const daemon = await start(binary);
    await over(daemon, await job(daemon, 300));
    const page = await open(daemon);
    await page.locator('#outbox-list .row').first().waitFor();
    await page.locator('#outbox-list').evaluate((it) => (it.scrollTop = 54 * 40));
    await page.waitForTimeout(100);
    const top = () => page.evaluate(() => document.elementFromPoint(200, 300)?.closest('.row')?.querySelector('.who')?.textContent);
    const before = await top();
    await daemon.call('POST', '/send', { message: { to: { email: 'new@example.com' }, content: { title: 'New', body: 'b' } } });
    await page.getByRole('button', { name: '1 new message' }).waitFor();
    equal(await top(), before, 'what is read');
    await page.getByRole('button', { name: '1 new message' }).click();
    await page.locator('#outbox-list .row', { hasText: 'new@example.com' }).waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'the demo starts the browser on its job'() {
    // What opens pages here says which.
    const bin = mkdtempSync(join(tmpdir(), 'bulkd-open-'));
    for (const name of ['xdg-open', 'open']) writeFileSync(join(bin, name), `#!/bin/sh\necho "$1" > ${bin}/asked.part && mv ${bin}/asked.part ${bin}/asked\n`, { mode: 0o755 });
    const demo = spawn(binary, ['demo', '--open', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
    const lines = [];
    createInterface(demo.stdout).on('line', (line) => line.trim() && lines.push(line.trim()));
    const opened = () => (existsSync(join(bin, 'asked')) ? readFileSync(join(bin, 'asked'), 'utf8').trim() : '');
    // Its lines and the browser come by ways of their own.
    const tells = () => opened() && lines.some((line) => line.endsWith(opened()));
    for (const end = Date.now() + PATIENCE; Date.now() < end && !tells(); ) await new Promise((resolve) => setTimeout(resolve, 50));
    const asked = opened();
    check(tells(), `asked to open ‘${asked}’, and the demo ends with ‘${lines.at(-1)}’`);
    if (asked) {
      const { origin, hash } = new URL(asked);
      const page = await open({ url: origin }, hash);
      await page.locator('.job-head .pill', { hasText: 'Completed' }).waitFor();
      await page.context().close();
    }
    demo.kill();
    await once(demo, 'exit');
    rmSync(bin, { recursive: true });
  },

  async 'a configured key is asked for and kept for the tab'() {
    const daemon = await start(binary, '--api-key', 'secret');
    await job(daemon, 2, { key: 'secret' });
    const page = await open(daemon);
    await page.getByLabel('API key').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('not one of those').waitFor();
    await picture(page, 'key');
    await page.getByLabel('API key').fill('secret');
    await page.keyboard.press('Enter');
    await page.locator('#outbox-list .row').first().waitFor();
    check(!page.url().includes('secret'), 'the key is in the address');
    await page.reload();
    await page.locator('#outbox-list .row').first().waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'an environment that was reset is still the one that is shown'() {
    const daemon = await start(binary);
    await job(daemon, 2, { key: 'other' });
    await job(daemon, 2);
    const page = await open(daemon, '#/bench/environment');
    page.on('dialog', (dialog) => dialog.accept());
    const shown = () => page.locator('#env').inputValue();
    await page.locator('#env option').nth(1).waitFor({ state: 'attached' });
    const before = await shown();
    await page.getByRole('button', { name: 'Reset the environment' }).click();
    await page.getByText('Environment reset').waitFor();
    await page.waitForTimeout(1500);
    equal(await shown(), before, 'the environment');
    await job(daemon, 1);
    await page.locator('#outbox-list .row').first().waitFor();
    equal(await page.locator('#outbox-list .row').count(), 1, 'messages');
    await page.context().close();
    await daemon.stop();
  },

  async 'tabs share one stream'() {
    const daemon = await start(binary);
    await job(daemon, 2);
    const page = await open(daemon);
    await page.locator('#outbox-list .row').first().waitFor();
    const others = await Promise.all(Array.from({ length: 5 }, () => page.context().newPage()));
    for (const other of others) {
      await other.goto(daemon.url);
      await other.locator('#outbox-list .row').first().waitFor();
    }
    const metrics = await (await fetch(`${daemon.url}/_bulkd/metrics`)).text();
    equal(/bulkd_event_streams (\d+)/.exec(metrics)?.[1], '1', 'open streams');
    await daemon.call('POST', '/send', { message: { to: { email: 'new@example.com' }, content: { title: 'New', body: 'b' } } });
    for (const tab of [page, ...others]) await tab.locator('#outbox-list .row', { hasText: 'new@example.com' }).waitFor();
    await page.context().close();
    await daemon.stop();
  },

  async 'the page is there at once'() {
    const daemon = await start(binary);
    await over(daemon, await job(daemon, 100));
    // Beside a text of the same daemon: what any page takes in this browser.
    const paint = async (page, shown = '#outbox-list .row') => {
      await page.locator(shown).first().waitFor();
      return page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    };
    const styled = async (page) => {
      if (await page.evaluate(() => document.styleSheets[0]?.cssRules.length ?? 0) < 100) problem('the page has no style');
    };
    // With nothing in the browser's cache, and with all that the first time has left there.
    const [cold, warm, text] = [[], [], []];
    for (let loads = 0; loads < (isLong ? 11 : 3); loads++) {
      const page = await open(daemon);
      cold.push(await paint(page));
      await styled(page);
      await page.goto('about:blank');
      await page.goto(daemon.url);
      warm.push(await paint(page));
      await page.context().close();
      const other = await browser.newPage();
      await other.goto(`${daemon.url}/llms.txt`);
      text.push(await paint(other, 'pre'));
      await other.close();
    }
    const median = (all) => Math.round(all.sort((a, b) => a - b)[Math.floor(all.length / 2)]);
    console.log(`    its first paint was after ${median(cold)} ms, and ${median(warm)} ms with a warm cache, that of llms.txt after ${median(text)} ms`);
    await daemon.stop();
  },
};

const names = Object.keys(stories).filter((name) => !wanted.length || wanted.some((it) => name.includes(it)));
for (const name of names) {
  const before = problems;
  const begun = Date.now();
  try {
    await stories[name]();
  } catch (error) {
    problem(error.stack ?? String(error));
  }
  console.log(`${problems === before ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
}
await browser.close();
writeFileSync(join(folder, 'stories.txt'), `${names.join('\n')}\n`);
console.log(`${names.length} stories, ${problems} problems`);
process.exit(problems ? 1 : 0);
