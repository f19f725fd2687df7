import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { freePort } from '../lib/daemon.js';
import { waitFor } from '../lib/wait.js';
import { holds, scene, startService } from './support.js';

/** Where a browser is that can be driven; PAGE_SHOTS names a folder for pictures to look at. */
const CHROMIUM = (process.env.PATH ?? '')
  .split(':')
  .map((dir) => join(dir, 'chromium'))
  .find((path) => existsSync(path));
const { PAGE_SHOTS } = process.env;

async function openPage(t: Test, browser: Browser, url: string, colorScheme: 'light' | 'dark'): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, colorScheme });
  page.on('pageerror', (error) => t.fail(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') t.fail(message.text());
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) t.fail(`it asks for ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

t.test('the live page in a browser', { skip: CHROMIUM === undefined && 'chromium is not installed' }, async (t) => {
  const s = await scene(t, ['m1', 'm2']);
  const port = await freePort();
  s.configure(`http = ${port}\noptions = -a --delete
[sync web]\nsource = ${s.source}/
[target one]\nto = ${s.daemon.url('m1')}
[target two]\nto = ${s.daemon.url('gone')}\n`);
  const service = await startService(t, s);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const url = `http://127.0.0.1:${port}/`;
  const page = await openPage(t, browser, url, 'light');
  const card = (name: string) =>
    page.locator('article').filter({ has: page.getByRole('heading', { name, exact: true }) });
  const state = (name: string) => card(name).locator('.state').textContent();
  const becomes = (name: string, text: RegExp) =>
    waitFor(async () => text.test((await state(name)) ?? ''), 20_000, `${name} to be ${text}`);

  await becomes('one', /^in step$/);
  await becomes('two', /^waiting to retry/);
  t.match(await card('two').locator('.trouble').textContent(), /Unknown module 'gone'/);
  t.equal(await page.locator('#summary').textContent(), '1 of 2 targets in step');
  await card('one').locator('canvas').waitFor();
  const colors = await card('one')
    .locator('canvas')
    .evaluate((node) => {
      const canvas = node as unknown as {
        width: number;
        height: number;
        getContext(kind: '2d'): { getImageData(...at: number[]): { data: Uint8Array } };
      };
      return new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size;
    });
  t.ok(colors > 5, 'something is plotted');

  await card('one').getByRole('button', { name: 'Pause' }).click();
  await becomes('one', /^paused$/);
  writeFileSync(join(s.source, 'more'), 'more');
  await waitFor(async () => (await card('one').locator('dd').nth(1).textContent()) === '1', 20_000, 'one pending path');
  t.equal(existsSync(s.at('m1', 'more')), false);
  await card('one').getByRole('button', { name: 'Resume' }).click();
  await holds(s.at('m1', 'more'), 'more');
  await becomes('one', /^in step$/);
  rmSync(s.at('m1', 'more'));
  await card('one').getByRole('button', { name: 'Resync now' }).click();
  await holds(s.at('m1', 'more'), 'more');

  const dark = await openPage(t, browser, url, 'dark');
  await dark.locator('canvas').first().waitFor();
  const ground = await dark.evaluate('getComputedStyle(document.body).backgroundColor');
  t.equal(ground, 'rgb(17, 21, 28)');
  if (PAGE_SHOTS !== undefined) {
    mkdirSync(PAGE_SHOTS, { recursive: true });
    await page.screenshot({ path: join(PAGE_SHOTS, 'light.png') });
    await dark.screenshot({ path: join(PAGE_SHOTS, 'dark.png') });
  }
  await dark.close();
  page.removeAllListeners('console');
  service.child.kill('SIGKILL');
  await waitFor(
    async () => (await page.locator('#summary').textContent()) === 'the service does not answer',
    20_000,
    'the page to tell',
  );
});
