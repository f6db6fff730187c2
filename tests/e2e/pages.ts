/** What every end-to-end test does in a browser: open a page of its own, sign in, take a picture. */
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { exists, rootFolder } from '../support/programs.ts'

/** Nothing on a page may take longer, also on a busy machine. */
const pageSecondsMax = 20

/** @throws when the web app is not built; `npm test` builds it. */
export async function builtWebApp(): Promise<string> {
  const index = join(rootFolder, 'web', 'dist', 'index.html')
  if (await exists(index)) return index
  throw new Error('The web app is not built; "npm test" and "npm start" build it.')
}

export type Visitor = {
  page: Page
  context: BrowserContext
  /** Uncaught errors of the page's scripts; a test that ends with any has found a bug. */
  errors: string[]
}

/** Somebody's own browser: no cookie of anybody else. */
export async function visitor(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 1280, height: 800 },
    ...options,
  })
  context.setDefaultTimeout(pageSecondsMax * 1000)
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.stack ?? error.message))
  return { page, context, errors }
}

/** Signs in through the sign-in page. */
export async function signIn(page: Page, person: { email: string; password: string }): Promise<void> {
  await page.goto('/login')
  await page.getByLabel('E-mail').fill(person.email)
  await page.getByLabel('Password').fill(person.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: /^Menu of / }).waitFor()
}

/** For the documentation; written into the checkout only when asked: `PICTURES=1`. */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env.PICTURES !== '1') return
  const folder = join(rootFolder, 'docs', 'pictures')
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' })
}

/** The step of the newest point that the chart shows. */
export async function newestStep(page: Page, metric: string): Promise<number> {
  const name = await chartOf(page, metric).getAttribute('aria-label')
  return Number(/ at step (\d+)/.exec(name ?? '')?.[1] ?? -1)
}

export function chartOf(page: Page, metric: string) {
  return page.getByRole('img', { name: new RegExp(`^Chart of ${metric},`) })
}

/** What is really drawn, of all layers of the chart, to be compared. */
export async function inkOf(page: Page, metric: string): Promise<string> {
  return await chartOf(page, metric)
    .locator('canvas')
    .evaluateAll((layers) => layers.map((layer) => (layer as HTMLCanvasElement).toDataURL()).join())
}

/** The button can be found and says no. */
export async function expectRefused(page: Page, name: string | RegExp): Promise<void> {
  const button = page.getByRole('button', { name }).first()
  await button.waitFor()
  expect(await button.getAttribute('aria-disabled'), `${name} should be refused`).toBe('true')
}

/** For looking at: `LOOKS=1` leaves pictures in the temporary folder, light, dark and as wide as a phone. */
export async function look(page: Page, name: string) {
  if (process.env.LOOKS !== '1') return
  const folder = join(tmpdir(), 'teamgrid-looks')
  await mkdir(folder, { recursive: true })
  for (const scheme of ['light', 'dark'] as const)
    for (const width of [1280, 375]) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height: 800 })
      await page.waitForTimeout(400)
      await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true })
    }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 800 })
}

/** Drags a folder of this machine onto the page, as a file manager does. */
export async function dropFolder(page: Page, onto: Locator, folder: string): Promise<void> {
  await onto.waitFor()
  const box = (await onto.boundingBox())!
  const session = await page.context().newCDPSession(page)
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 }
  const data = { items: [], files: [folder], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, ...at, data })
  await session.detach()
}
