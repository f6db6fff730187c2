/** The pages of sweeps, as a member, a viewer and a stranger find them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser } from 'playwright-core'
import { chromiumPath, launch } from '../support/chromium.ts'
import { part } from '../support/parts.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person } from '../wandb/client.ts'
import { builtWebApp, expectRefused, picture, signIn, visitor } from './pages.ts'

const chromium = await part('chromium', chromiumPath)
const web = await part('the built web app', builtWebApp)

describe.skipIf(!chromium || !web)('sweeps in a browser', { timeout: 120_000 }, () => {
  let server: TestServer
  let browser: Browser
  let anna: Person
  let vera: Person
  let stranger: Person
  let slug: string
  beforeAll(async () => {
    server = await startServer()
    const make = people(server)
    ;[anna, vera, stranger] = await Promise.all([make.person(), make.person(), make.person()])
    const team = await make.team([
      { person: anna, role: 'member' },
      { person: vera, role: 'viewer' },
    ])
    slug = team.slug
    await anna.api.projects.create({ team: slug, name: 'digits' })
    browser = await launch()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  async function visit(person: Person) {
    const visited = await visitor(browser, server.url)
    await signIn(visited.page, {
      email: `${person.username}@example.org`,
      password: 'correct horse battery',
    })
    return visited
  }

  /** An experiment of the sweep that has ended, as the client would have made it. */
  async function tried(sweep: string, lr: number, kind: string): Promise<void> {
    const input = {
      entityName: slug,
      modelName: 'digits',
      sweep,
      config: JSON.stringify({ lr: { value: lr }, kind: { value: kind } }),
      summaryMetrics: JSON.stringify({ loss: Math.abs(Math.log10(lr) + 2) + (kind === 'a' ? 0 : 0.5) }),
    }
    const answer = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${anna.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation M($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted } }',
        variables: { input },
      }),
    })
    expect(answer.status).toBe(200)
  }

  test('a member is told how to begin, watches a sweep live and steers it; a viewer only looks; a stranger finds nothing', async () => {
    const member = await visit(anna)
    const { page } = member
    await page.goto(`/${slug}/digits/sweeps`)
    await page.getByText(`wandb sweep --entity ${slug} --project digits sweep.yaml`).waitFor()

    const { slug: sweep } = await anna.api.sweeps.create({
      team: slug,
      project: 'digits',
      config:
        '{method: random, name: rates, run_cap: 20, metric: {name: loss}, parameters: {lr: {distribution: log_uniform_values, min: 0.0001, max: 1}, kind: {values: [a, b]}}}',
    })
    for (let index = 0; index < 10; index++)
      await tried(sweep, 10 ** (-4 + 0.4 * index), index % 3 === 0 ? 'b' : 'a')
    // The list has heard of it by itself.
    await page.getByRole('link', { name: 'rates' }).click()
    await page.getByRole('img', { name: /^Parallel coordinates: 10 lines over .*lr.*, loss$/ }).waitFor()
    const importance = page.getByRole('table', { name: 'Importance of parameters' })
    expect(await importance.getByRole('row').count()).toBe(3)
    const best = page.getByRole('table', { name: 'Best experiments' }).getByRole('row').nth(1)
    expect(await best.innerText()).toMatch(/best[\s\S]*0\.01/)
    await page.getByText(`wandb agent ${slug}/digits/${sweep}`).waitFor()
    await tried(sweep, 0.5, 'a')
    await page.getByRole('img', { name: /^Parallel coordinates: 11 lines/ }).waitFor()
    await picture(page, 'sweep')
    // On a telephone everything is there, and nothing hangs over the edge.
    await page.setViewportSize({ width: 375, height: 800 })
    await page.getByRole('img', { name: /^Parallel coordinates: 11 lines/ }).waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375)
    await page.setViewportSize({ width: 1280, height: 800 })

    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    expect((await anna.api.sweeps.get({ team: slug, project: 'digits', sweep })).state).toBe('paused')
    await page.getByRole('link', { name: 'All 11 as a table' }).click()
    await page.waitForURL(/\/digits\/table\?.*where=/)

    const viewer = await visit(vera)
    await viewer.page.goto(`/${slug}/digits/sweeps/${sweep}`)
    await viewer.page.getByRole('img', { name: /^Parallel coordinates: 11 lines/ }).waitFor()
    await expectRefused(viewer.page, 'Resume')
    await expectRefused(viewer.page, 'Delete')
    expect(await viewer.page.getByText('wandb agent').count()).toBe(0)

    const outside = await visit(stranger)
    await outside.page.goto(`/${slug}/digits/sweeps/${sweep}`)
    await outside.page.getByRole('heading', { name: /not|nothing/i }).waitFor()
    for (const { errors, context } of [member, viewer, outside]) {
      expect(errors).toEqual([])
      await context.close()
    }
  })
})
