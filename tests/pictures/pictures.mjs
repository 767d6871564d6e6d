// Takes a picture of each message of messages.mjs in the forms below, and checks what a browser can tell.
//
//   node pictures.mjs BULKD FOLDER CHROMIUM
//
// The pictures and the HTML are left in the folder. The last line is "N pictures, N problems".

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BRANDS, MESSAGES } from './messages.mjs';

// Unlike `import` this finds what NODE_PATH leads to.
const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const [binary, folder, browserPath] = process.argv.slice(2);
const WIDTHS = [600, 375];
const SCHEMES = ['light', 'dark'];
/** Pages that are open at the same time. */
const PAGES = 2;
/** Rules that are about pages of the web: an e-mail has no landmarks, and its author chooses the levels of headings. */
const NOT_FOR_EMAILS = ['region', 'landmark-one-main', 'page-has-heading-one', 'heading-order', 'landmark-unique'];

/** A daemon, and how its API is called. */
async function start() {
  const daemon = spawn(binary, ['serve', '--ephemeral', '--listen', '127.0.0.1:0', '--log', 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => daemon.kill());
  const ended = once(daemon, 'exit').then(() => {
    throw new Error('bulkd has ended');
  });
  ended.catch(() => {});
  const [line] = await Promise.race([once(createInterface(daemon.stdout), 'line'), ended]);
  const [url] = /http:\/\/[\d.]+:\d+/.exec(line);
  const call = async (method, path, body) => {
    const headers = { authorization: 'Bearer pictures', 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`);
    return said ? JSON.parse(said) : undefined;
  };
  return { call, stop: () => daemon.kill() };
}

/** What bulkd has made of the messages, by their names. */
async function send() {
  const { call, stop } = await start();
  for (const [id, brand] of Object.entries(BRANDS)) await call('POST', '/brands', { id, ...brand });
  for (const { name, message, locale } of MESSAGES) {
    const to = { email: `${name}@example.com`, ...(locale && { locale }) };
    await call('POST', '/send', { message: { to, routing: { method: 'single', channels: ['email'] }, ...message } });
  }
  const { items } = await call('GET', `/_bulkd/outbox?fields=all&limit=${MESSAGES.length}`);
  stop();
  const made = (name) => {
    const item = items.find((it) => it.address === `${name}@example.com`);
    if (!item?.html) throw new Error(`${name}: nothing went out: ${JSON.stringify(item)}`);
    const text = item.request.content.find((it) => it.type === 'text/plain').value;
    return { html: item.html, text };
  };
  return new Map(MESSAGES.map(({ name }) => [name, made(name)]));
}

/** Looks at a page from within. What it uses has to stand in it. */
function look({ narrow, expect }) {
  const problems = [];
  const box = (element) => element.getBoundingClientRect();
  const visible = (element) => {
    const { width, height } = box(element);
    return width > 0 && height > 0 && element.checkVisibility({ checkOpacity: true });
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim() || !visible(node.parentElement)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    texts.push({ node, element: node.parentElement, boxes: [...range.getClientRects()].filter((it) => it.width > 0), all: range.getBoundingClientRect() });
  }
  const shown = (text) => text.node.data.trim().slice(0, 40);
  const scrolls = (element) => {
    for (let it = element; it; it = it.parentElement) if (getComputedStyle(it).overflowX === 'auto') return true;
    return false;
  };

  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) problems.push(`the page is ${scrollWidth} pixels wide, and the window ${innerWidth}`);
  for (const text of texts.filter(({ element }) => !scrolls(element))) {
    if (text.boxes.some((it) => it.left < -1 || it.right > innerWidth + 1)) problems.push(`'${shown(text)}' is cut off`);
  }
  for (const image of document.images) if (!image.hasAttribute('alt')) problems.push('an image has no alt');
  for (const word of expect.shows ?? []) if (!document.body.innerText.includes(word)) problems.push(`'${word}' is not shown`);

  const direction = expect.direction ?? 'ltr';
  for (const { element } of texts) {
    const { direction: found } = getComputedStyle(element);
    if (found !== direction) problems.push(`the text '${element.textContent.slice(0, 40)}' is ${found}`);
  }
  if (direction === 'rtl') {
    // Bars, marks of lists and lines begin on the right.
    const inner = document.querySelector('td.bulkd-inner p, td.bulkd-inner h1');
    const start = texts.find(({ element }) => element === inner)?.all;
    if (start && Math.abs(start.right - box(inner).right) > 2) problems.push('lines do not begin on the right');
    const bar = document.querySelector('blockquote td');
    if (bar && box(bar).left < box(bar.nextElementSibling).left) problems.push('the bar of the quote is on the left');
  }

  for (const cell of document.querySelectorAll('.bulkd-button')) {
    const button = box(cell);
    const column = cell.closest('.bulkd-column');
    for (const text of texts.filter(({ element }) => !cell.contains(element) && element.closest('.bulkd-column') === column)) {
      const overlaps = text.boxes.some((it) => it.top < button.bottom - 1 && it.bottom > button.top + 1);
      if (overlaps) problems.push(`'${shown(text)}' stands beside the button '${cell.innerText.slice(0, 40)}'`);
    }
  }

  if (expect.columns) {
    const [first, second] = expect.columns.map((begin) => texts.find(({ node }) => node.data.trim().startsWith(begin)).element.closest('td'));
    const [a, b] = [box(first), box(second)];
    const [is, are] = narrow ? ['not below', b.top >= a.bottom - 1 && Math.abs(a.left - b.left) <= 1] : ['not beside', Math.abs(a.top - b.top) <= 1];
    if (!are) problems.push(`the second column is ${is} the first`);
  }

  if (expect.evenly) {
    const blocks = [...document.querySelector('.bulkd-inner > div').children].map(box);
    const gaps = blocks.slice(1).map((it, i) => Math.round(it.top - blocks[i].bottom));
    if (new Set(gaps).size !== 1) problems.push(`the margins between blocks are ${gaps.join(', ')}`);
  }
  return problems;
}

async function picture(browser, { name, expect = {} }, { html, text }) {
  const problems = [];
  for (const word of expect.text ?? []) if (!text.includes(word)) problems.push(`'${word}' is not in the plain text:\n${text}`);
  for (const scheme of SCHEMES) {
    for (const width of WIDTHS) {
      const form = `${name}-${width}-${scheme}`;
      const context = await browser.newContext({ viewport: { width, height: 400 }, colorScheme: scheme, deviceScaleFactor: 1 });
      await context.route(/^https?:/, (route) => route.abort());
      const page = await context.newPage();
      await page.setContent(html, { waitUntil: 'load' });
      await page.screenshot({ path: join(folder, `${form}.png`), fullPage: true });
      const found = await page.evaluate(look, { narrow: width < 480, expect });
      await page.evaluate(AXE);
      const rules = Object.fromEntries(NOT_FOR_EMAILS.map((rule) => [rule, { enabled: false }]));
      const { violations } = await page.evaluate((options) => window.axe.run(document, options), { rules });
      for (const { id, nodes } of violations) {
        found.push(`${id}: ${nodes.map((node) => `${node.html.slice(0, 120)} ${node.any[0]?.message ?? ''}`).join('; ')}`);
      }
      problems.push(...found.map((problem) => `${form}: ${problem}`));
      await context.close();
    }
  }
  writeFileSync(join(folder, `${name}.html`), html);
  writeFileSync(join(folder, `${name}.txt`), text);
  return problems;
}

const made = await send();
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const queue = [...MESSAGES];
const problems = [];
const work = async () => {
  for (let message = queue.shift(); message; message = queue.shift()) {
    problems.push(...(await picture(browser, message, made.get(message.name))));
  }
};
await Promise.all(Array.from({ length: PAGES }, work));
await browser.close();
problems.forEach((problem) => console.error(problem));
console.log(`${MESSAGES.length * WIDTHS.length * SCHEMES.length} pictures, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
