/**
 * The main job on real input: a member trains with the ordinary wandb client, a team mate watches in a browser, a viewer
 * sees all of it and can touch nothing.
 */
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Browser } from 'playwright-core'
import { createClient, GridError } from '@teamgrid/api'
import { randomText } from '../../server/src/lib/ids.ts'
import { chromiumPath, launch } from '../support/chromium.ts'
import { part } from '../support/parts.ts'
import { rootFolder } from '../support/programs.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { startScript, until, type RunningScript } from '../wandb/client.ts'
import { noteAcknowledgements } from './acknowledgements.ts'
import {
  builtWebApp,
  chartOf,
  expectRefused,
  inkOf,
  newestStep,
  picture,
  signIn,
  visitor,
  type Visitor,
} from './pages.ts'

const chromium = await part('chromium', chromiumPath)
const python = await part('wandb-latest', () => venv('wandb-latest'))
const web = await part('the built web app', builtWebApp)

const team = 'example-team'
const epochs = 60
/** A point may take this long from the server to a team mate's screen; the measured figure is printed. */
const drawnSecondsMax = 2

describe.skipIf(!chromium || !python || !web)('a team trains and watches', { timeout: 120_000 }, () => {
  let server: TestServer
  let browser: Browser
  let script: RunningScript
  let acknowledgements: Awaited<ReturnType<typeof noteAcknowledgements>>
  let mate: Visitor
  let viewer: Visitor
  let experiment: { team: string; project: string; experiment: string }
  const people = Object.fromEntries(
    ['ada', 'bob', 'cy', 'vi'].map((username) => [
      username,
      { username, email: `${username}@example.org`, password: randomText(16), key: randomText(40) },
    ]),
  ) as Record<'ada' | 'bob' | 'cy' | 'vi', { username: string; email: string; password: string; key: string }>

  beforeAll(async () => {
    server = await startServer()
    acknowledgements = await noteAcknowledgements(server.url)
    const operator = apiOf({ authorization: `Bearer ${server.operatorToken}` })
    for (const { key, ...person } of Object.values(people)) {
      const apiKey = person.username === 'vi' ? {} : { apiKey: key }
      await operator.users.create({ ...person, ...apiKey, admin: false })
    }
    await operator.teams.create({ slug: team, admin: 'ada' })
    await operator.teams.addMember({ team, username: 'bob', role: 'member' })
    await operator.teams.addMember({ team, username: 'cy', role: 'member' })
    await operator.teams.addMember({ team, username: 'vi', role: 'viewer' })
    browser = await launch()
    mate = await visitor(browser, server.url)
    viewer = await visitor(browser, server.url)
    await signIn(mate.page, people.cy)
    await signIn(viewer.page, people.vi)
  }, 120_000)

  afterAll(async () => {
    script?.kill('SIGKILL')
    await browser?.close()
    await acknowledgements?.stop()
    await server?.stop()
  }, 60_000)

  // A picture of what everybody saw says more than a locator that was not found.
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return
    for (const [index, open] of browser
      .contexts()
      .flatMap((context) => context.pages())
      .entries()) {
      const path = join(tmpdir(), `teamgrid-failed-${index}.png`)
      await open.screenshot({ path }).catch(() => undefined)
      console.log(`${open.url()} looked like ${path}`)
    }
    console.log([mate, viewer].flatMap(({ errors }) => errors).join('\n'))
  })

  const apiOf = (headers: Record<string, string>) => createClient({ url: server.url, headers: () => headers })
  const page = (tab?: string) =>
    `/${experiment.team}/${experiment.project}/runs/${experiment.experiment}${tab ? `?tab=${tab}` : ''}`

  test('a member’s script logs into the team, and a team mate’s browser draws the growing curve', async () => {
    script = await startScript({
      python: python!,
      url: acknowledgements.url,
      key: people.bob.key,
      code: await readFile(join(rootFolder, 'examples', 'digits.py'), 'utf8'),
      args: ['--entity', team, '--epochs', String(epochs), '--sleep', '0.3'],
      // The client gathers for 15 seconds unless told otherwise; here every second may bring a request to measure.
      env: { WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL: '1' },
    })
    await script.says('epoch   0')

    const { page: screen } = mate
    await screen.goto(`/${team}`)
    await screen.getByRole('link', { name: 'digits' }).first().click()
    await screen.getByRole('list', { name: 'Experiments' }).getByRole('link').first().click()
    await screen.waitForURL(/\/example-team\/digits\/runs\/\w+$/)
    experiment = { team, project: 'digits', experiment: new URL(screen.url()).pathname.split('/').at(-1)! }

    await chartOf(screen, 'val/loss').waitFor()
    const drawn = await watchSteps(mate, 'val/loss')
    const firstInk = await inkOf(screen, 'val/loss')
    await until(
      () => drawn.length >= 4 && drawn.at(-1)!.step >= 20,
      60,
      () => `Drawn: ${JSON.stringify(drawn)}`,
    )
    expect(drawn.map(({ step }) => step)).toEqual(drawn.map(({ step }) => step).toSorted((a, b) => a - b))
    expect(await inkOf(screen, 'val/loss')).not.toBe(firstInk)
    await picture(screen, 'experiment-light')

    // Every acknowledged step that the page had to draw while open, with how long that took.
    const opened = drawn[0]!.atMs
    const seconds = acknowledgements.acknowledged
      .filter(({ atMs }) => atMs > opened)
      .flatMap(({ step, atMs }) => {
        const shown = drawn.find((each) => each.step >= step)
        return shown ? [(shown.atMs - atMs) / 1000] : []
      })
      .toSorted((a, b) => a - b)
    expect(seconds.length).toBeGreaterThanOrEqual(2)
    const median = seconds[Math.floor(seconds.length / 2)]!
    console.log(
      `From the server’s answer to a team mate’s screen: median ${median.toFixed(2)} s, ` +
        `longest ${seconds.at(-1)!.toFixed(2)} s, over ${seconds.length} requests (goal ${drawnSecondsMax} s)`,
    )
    // Generous, as a busy machine may stall a browser; the printed figure is the measure.
    expect(median).toBeLessThan(5 * drawnSecondsMax)
  })

  test('the team mate reads the console while it is written', async () => {
    const { page: screen } = mate
    await screen.getByRole('link', { name: 'Console' }).click()
    const log = screen.getByRole('log', { name: 'Console' })
    await log
      .getByText(/epoch +\d+ {2}train loss 0\.\d+/)
      .first()
      .waitFor()
    await log
      .getByText(/epoch +3\d /)
      .first()
      .waitFor()
    await screen.getByRole('searchbox', { name: 'Search the console' }).fill('epoch   7')
    await screen.getByText('1 of 1', { exact: true }).waitFor()
    await log.getByText(/epoch +7 /).waitFor()
  })

  test('the script ends well and says where to look', async () => {
    const { code, output } = await script.ended
    expect(output).toMatch(/Done: 9\d\.\d% of the digits/)
    expect(output).toContain(page())
    expect(code, output).toBe(0)
    await mate.page.getByText('Finished').first().waitFor()
    await mate.page.goto(page())
    await until(async () => (await newestStep(mate.page, 'val/loss')) === epochs - 1, 20)
  })

  test.for(['mate', 'viewer'] as const)(
    'the %s opens the pictures, the table and the model file',
    async (who) => {
      const { page: screen, context } = who === 'mate' ? mate : viewer
      await screen.goto(page('media'))
      const pictures = screen.getByRole('figure').filter({ hasText: 'wrong' })
      const thumbnail = pictures.getByRole('img', { name: /^is \d, read as \d$/ }).first()
      await thumbnail.waitFor()
      await until(() => thumbnail.evaluate((image: HTMLImageElement) => image.naturalWidth === 64), 20)
      const caption = (await thumbnail.getAttribute('alt'))!
      await pictures
        .getByRole('button', { name: `Open ${caption}` })
        .first()
        .click()
      const large = screen.getByRole('dialog', { name: caption })
      await large.getByRole('img').waitFor()
      await screen.keyboard.press('Escape')

      const table = screen.getByRole('region', { name: 'confusion' })
      await table.waitFor()
      await table.getByRole('columnheader', { name: 'read as 9' }).waitFor()
      if (who === 'mate') await picture(screen, 'media-light')

      await screen.goto(page('files'))
      const link = screen.getByRole('link', { name: 'Download digits.joblib' })
      const answer = await context.request.get((await link.getAttribute('href'))!)
      expect(answer.status()).toBe(200)
      // A pickle of protocol 2 or newer starts with this byte.
      expect((await answer.body())[0]).toBe(0x80)
    },
  )

  test('the viewer sees the curves but every control that writes says no', async () => {
    const { page: screen } = viewer
    await screen.goto(page())
    await until(async () => (await newestStep(screen, 'train/accuracy')) === epochs - 1, 20)
    await expectRefused(screen, /^Stop/)
    await expectRefused(screen, /^Delete/)
    await screen.getByRole('button', { name: /^Delete/ }).click({ force: true })
    await screen
      .getByText(/view-only/i)
      .first()
      .waitFor()
    expect(await screen.getByRole('dialog', { name: /^Delete/ }).count()).toBe(0)
    await screen.goto(page('overview'))
    await expectRefused(screen, 'Edit notes')
    expect(await screen.getByRole('textbox', { name: 'Add a tag' }).count()).toBe(0)
    await screen.goto(`/${team}`)
    await expectRefused(screen, 'New project')
    await screen.goto(`/teams/${team}`)
    await screen.getByRole('heading', { name: 'Members', exact: true }).waitFor()
    for (const button of await screen
      .getByRole('main')
      .getByRole('button', { name: /invite|remove|save|create|add/i })
      .all()) {
      expect(await button.getAttribute('aria-disabled'), await button.innerText()).toBe('true')
    }
  })

  test('the server refuses what the viewer’s browser could send anyway', async () => {
    const cookie = (await viewer.context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
    const vi = apiOf({ cookie, origin: server.url })
    expect((await vi.me.get()).user.username).toBe('vi')
    const writes = {
      rename: () => vi.experiments.change({ ...experiment, name: 'mine' }),
      tag: () => vi.experiments.change({ ...experiment, tags: ['mine'] }),
      stop: () => vi.experiments.stop(experiment),
      delete: () => vi.experiments.delete(experiment),
      'make a project': () => vi.projects.create({ team, name: 'mine' }),
      'change the policy': () => vi.teams.setPolicy({ team, overrides: {} }),
      'add a member': () => vi.teams.addMember({ team, username: 'bob', role: 'admin' }),
      'promote oneself': () => vi.teams.changeMember({ team, username: 'vi', role: 'admin' }),
      invite: () => vi.teams.invite({ team, role: 'member' }),
    }
    for (const [name, write] of Object.entries(writes)) {
      const refusal = await write().then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(refusal, name).toBeInstanceOf(GridError)
      expect(['forbidden', 'policy_denied'], name).toContain((refusal as GridError).code)
    }
    const asClient = await fetch(`${server.url}/files/${team}/digits/${experiment.experiment}/file_stream`, {
      method: 'POST',
      headers: { cookie, origin: server.url, 'content-type': 'application/json' },
      body: JSON.stringify({
        files: { 'wandb-history.jsonl': { offset: epochs, content: ['{"_step":60,"val/loss":0}'] } },
      }),
    })
    expect(asClient.status).toBe(403)
    const bob = apiOf({ authorization: `Bearer ${people.bob.key}` })
    const unchanged = await bob.experiments.get(experiment)
    expect(unchanged).toMatchObject({ tags: [], historyLines: epochs, state: 'finished' })
  })

  test('a stranger’s browser is told that none of it exists', async () => {
    const operator = apiOf({ authorization: `Bearer ${server.operatorToken}` })
    const eve = { username: 'eve', email: 'eve@example.org', password: randomText(16) }
    await operator.users.create({ ...eve, admin: false })
    const { page: screen, context } = await visitor(browser, server.url)
    onTestFinished(() => context.close())
    await signIn(screen, eve)
    for (const address of [`/${team}`, `/${team}/digits`, page(), '/no-such-team']) {
      await screen.goto(address)
      await screen
        .getByText(/not found|nothing here|does not exist/i)
        .first()
        .waitFor()
      expect(await screen.getByText('val/loss').count(), address).toBe(0)
    }
  })

  test('looks right in the dark and on a phone', async () => {
    const dark = await visitor(browser, server.url, { colorScheme: 'dark' })
    const phone = await visitor(browser, server.url, {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    })
    onTestFinished(async () => {
      await dark.context.close()
      await phone.context.close()
    })
    await signIn(dark.page, people.cy)
    await dark.page.goto(page())
    await until(async () => (await newestStep(dark.page, 'val/loss')) === epochs - 1, 20)
    const ground = await dark.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    expect(brightnessOf(ground)).toBeLessThan(80)
    await picture(dark.page, 'experiment-dark')

    await signIn(phone.page, people.cy)
    for (const tab of [undefined, 'overview', 'console', 'media', 'files']) {
      await phone.page.goto(page(tab))
      await phone.page.getByRole('heading', { level: 1 }).waitFor()
      const [inner, content] = await phone.page.evaluate(() => [
        innerWidth,
        document.documentElement.scrollWidth,
      ])
      expect(content, `${tab ?? 'charts'} is wider than the phone`).toBeLessThanOrEqual(inner!)
      if (tab === undefined) {
        await until(async () => (await newestStep(phone.page, 'train/loss')) === epochs - 1, 20)
        await picture(phone.page, 'experiment-phone')
      }
    }
    expect([mate, viewer, dark, phone].flatMap(({ errors }) => errors)).toEqual([])
  })
})

/** Follows what the page says its newest drawn point is, with the time at which it began to say so. */
async function watchSteps({ page }: Visitor, metric: string): Promise<{ step: number; atMs: number }[]> {
  const seen: { step: number; atMs: number }[] = []
  await page.exposeFunction('noteStep', (step: number, atMs: number) => void seen.push({ step, atMs }))
  await chartOf(page, metric).evaluate((chart) => {
    const note = () => {
      const step = Number(/ at step (\d+)/.exec(chart.getAttribute('aria-label') ?? '')?.[1] ?? -1)
      // The canvas is drawn in the same frame as the name is set.
      requestAnimationFrame(() =>
        (globalThis as unknown as { noteStep: (step: number, atMs: number) => void }).noteStep(
          step,
          Date.now(),
        ),
      )
    }
    note()
    new MutationObserver(note).observe(chart, { attributes: true, attributeFilter: ['aria-label'] })
  })
  return seen
}

/** Of `rgb(…)` or `oklch(…)` text, 0 to 255. */
function brightnessOf(colour: string): number {
  const numbers = colour.match(/[\d.]+/g)!.map(Number)
  if (colour.startsWith('oklch') || colour.startsWith('lab') || colour.startsWith('oklab'))
    return numbers[0]! * 255
  return (numbers[0]! + numbers[1]! + numbers[2]!) / 3
}
