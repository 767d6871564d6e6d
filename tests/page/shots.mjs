// For work on the page: a daemon with some of everything, and a picture of each view.
//
//   node shots.mjs BULKD FOLDER [UI_DIR]

import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { job, over, start } from './daemon.mjs';
import { everything } from './samples.mjs';

const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const [binary, folder, uiDir] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const daemon = await start(binary, '--test-clock', ...(uiDir ? ['--ui-dir', uiDir] : []));
const made = await everything(daemon);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const only = (process.env.ONLY ?? '').split(',').filter(Boolean);
const shots = [
  ['outbox', `#/outbox/${made.email}`], ['sms', `#/outbox/${made.sms}`], ['push', `#/outbox/${made.push}`], ['inbox', `#/outbox/${made.inbox}`],
  ['slack', `#/outbox/${made.slack}`], ['teams', `#/outbox/${made.msteams}`], ['discord', `#/outbox/${made.discord}`], ['refused', `#/outbox/${made.refused}`],
  ['jobs', '#/jobs'], ['job', `#/jobs/${made.job}`], ['templates', '#/templates'], ['compose', '#/compose'], ['doctor', '#/bench/doctor'], ['faults', '#/bench/faults'], ['journal', '#/bench/journal'], ['clock', '#/bench/clock'], ['snapshots', '#/bench/snapshots'],
];
for (const [form, options] of [['light', { viewport: { width: 1440, height: 900 }, colorScheme: 'light' }], ['dark', { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' }], ['phone', { viewport: { width: 400, height: 800 }, colorScheme: 'light' }]]) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && console.log(form, message.type(), message.text()));
  page.on('pageerror', (error) => console.log(form, 'pageerror', error.stack));
  for (const [name, hash] of shots) {
    if (only.length && !only.includes(name) && !only.includes(form)) continue;
    await page.goto('about:blank');
    await page.goto(`${daemon.url}/${hash}`);
    await page.waitForTimeout(900);
    await page.screenshot({ path: join(folder, `${name}-${form}.png`) });
  }
  await context.close();
}
await browser.close();
await daemon.stop();
process.exit(0);
