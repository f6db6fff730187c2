/** Reports in a browser: written, published, discussed, fought over and shared; by members, a viewer and strangers. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readReport, writeReport } from '@teamgrid/api'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Browser, Page } from 'playwright-core'
import { startExperiment } from '../cli/logging.ts'
import { chromiumPath, launch } from '../support/chromium.ts'
import { part } from '../support/parts.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person } from '../wandb/client.ts'
import { builtWebApp, chartOf, expectRefused, look, signIn, visitor } from './pages.ts'

const chromium = await part('chromium', chromiumPath)
const web = await part('the built web app', builtWebApp)

describe.skipIf(!chromium || !web)('reports in a browser', { timeout: 180_000 }, () => {
  let server: TestServer
  let browser: Browser
  let anna: Person
  let bob: Person
  let vera: Person
  let stranger: Person
  let slug: string
  beforeAll(async () => {
    server = await startServer()
    const make = people(server)
    ;[anna, bob, vera, stranger] = await Promise.all([
      make.person(),
      make.person(),
      make.person(),
      make.person(),
    ])
    const team = await make.team([
      { person: anna, role: 'member' },
      { person: bob, role: 'member' },
      { person: vera, role: 'viewer' },
    ])
    slug = team.slug
    for (const [project, id] of [
      ['digits', 'open-owl'],
      ['hidden', 'secret-fox'],
    ] as const) {
      const logged = await startExperiment(server, anna.key, { team: slug, project, id }, { name: id })
      await logged.log(
        0,
        Array.from({ length: 20 }, (_, step) => ({ _step: step, loss: 1 / (step + 1) })),
      )
      await logged.finish(0)
    }
    browser = await launch()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return
    for (const [index, page] of browser
      .contexts()
      .flatMap((context) => context.pages())
      .entries()) {
      const path = join(tmpdir(), `teamgrid-reports-${index}.png`)
      await page.screenshot({ path, fullPage: true }).catch(() => undefined)
      console.log(`${page.url()}: ${path}`)
    }
  })

  async function visit(person: Person) {
    const visited = await visitor(browser, server.url)
    await signIn(visited.page, {
      email: `${person.username}@example.org`,
      password: 'correct horse battery',
    })
    return visited
  }

  const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()

  test('one is drafted, published, discussed and changed by two at once; a link shows it to anybody until it ends', async () => {
    const [annas, bobs, veras, outsiders] = await Promise.all([anna, bob, vera, stranger].map(visit))
    const [author, mate, viewer, outsider] = [annas!.page, bobs!.page, veras!.page, outsiders!.page]

    // What a try before this one has left.
    for (const { id } of await anna.api.reports.list({ team: slug, project: 'digits' }))
      await anna.api.reports.delete({ reportId: id })
    // A draft is there for its author alone.
    await author.goto(`/${slug}/digits/reports`)
    await author.getByText('No reports yet').waitFor()
    await look(author, 'empty')
    await author.getByRole('button', { name: 'New report' }).first().click()
    await author.getByLabel('Title').fill('Rates')
    await author.getByLabel('In one sentence').fill('How low it goes')
    await author.getByLabel('Markdown of block 1').fill('# What we found\n\nIt **falls**.')
    await press(author, 'Add panels')
    await author.getByLabel('Metrics of panel 1').fill('loss')
    await author.getByLabel('Metrics of panel 1').press('Tab')
    await chartOf(author, 'loss').waitFor()
    await look(author, 'editor')
    await press(author, 'Save draft')
    await author.getByText('Draft saved').waitFor()
    const reportId = new URL(author.url()).pathname.split('/').at(-1)!
    const path = `/${slug}/digits/reports/${reportId}`
    await mate.goto(path)
    await mate.getByRole('heading', { name: /not|nothing/i }).waitFor()

    await press(author, 'Publish')
    await author.getByRole('heading', { name: 'What we found' }).waitFor()
    await mate.goto(`/${slug}/digits/reports`)
    await mate.getByRole('link', { name: 'Rates' }).click()
    await chartOf(mate, 'loss').waitFor()
    await expectRefused(mate, 'Edit')
    await mate.getByRole('textbox', { name: 'Comment' }).fill('Which *seed*?')
    await press(mate, 'Comment')
    await mate.getByText('Comments (1)').waitFor()
    // Who says something follows.
    await mate.getByRole('button', { name: 'Following' }).waitFor()
    // The author sees it without asking again.
    await author.getByText('Comments (1)').waitFor()
    await author.getByText('Which seed?').waitFor()
    await look(author, 'report')

    // Opened to the team, two change it at once.
    await press(author, 'Share')
    const mayEdit = author.getByRole('checkbox', { name: 'Members of the team may edit it' })
    await mayEdit.click()
    await expect.poll(() => mayEdit.isChecked(), { timeout: 20_000 }).toBe(true)
    await look(author, 'share')
    await author.keyboard.press('Escape')
    await mate.reload()
    for (const page of [author, mate]) {
      await press(page, 'Edit')
      await page.getByLabel('Markdown of block 1').waitFor()
    }
    await mate.getByLabel('Markdown of block 1').fill('Bob was here.')
    await press(mate, 'Publish')
    await mate.getByRole('button', { name: 'Edit', exact: true }).waitFor()
    await author.getByLabel('Markdown of block 1').fill('Anna wrote this.')
    await press(author, 'Publish')
    const conflict = author
      .getByRole('dialog')
      .filter({ hasText: 'saved' })
      .filter({ has: author.getByRole('button', { name: 'Go on editing' }) })
    await conflict.getByText(`${bob.username} saved`).waitFor()
    await conflict.getByText('Bob was here.').waitFor()
    await conflict.getByText('Anna wrote this.').waitFor()
    await look(author, 'conflict')
    await conflict.getByRole('button', { name: 'Go on editing' }).click()
    expect(await author.getByLabel('Markdown of block 1').inputValue()).toBe('Anna wrote this.')
    await press(author, 'Publish')
    await conflict.getByRole('button', { name: 'Save mine as a draft over it' }).click()
    // What is told in passing is a dialog too, so the one meant is known by its button.
    await author.getByRole('button', { name: 'Save mine as a draft over it' }).waitFor({ state: 'detached' })
    // An earlier "Draft saved" may still stand there: only the server knows when this one is.
    await expect.poll(async () => (await anna.api.reports.get({ reportId })).hasDraft).toBe(true)
    const now = await anna.api.reports.get({ reportId })
    expect(readReport(now.spec)[0]).toMatchObject({ markdown: 'Bob was here.' })
    expect(readReport(now.draft!.spec)[0]).toMatchObject({ markdown: 'Anna wrote this.' })

    await press(author, 'Forget draft')
    await author.getByRole('dialog').getByRole('button', { name: 'Forget draft' }).click()
    await author.getByText('Bob was here.').waitFor()
    expect(await anna.api.reports.get({ reportId })).toMatchObject({ hasDraft: false })

    // A view-only member follows and comments, and nothing more.
    await viewer.goto(path)
    await viewer.getByText('Bob was here.').waitFor()
    for (const name of ['Edit', 'Share', 'Delete']) await expectRefused(viewer, name)
    await press(viewer, 'Follow')
    await viewer.getByRole('button', { name: 'Following' }).waitFor()
    await viewer.getByRole('textbox', { name: 'Comment' }).fill('I only look.')
    await press(viewer, 'Comment')
    await viewer.getByText('Comments (2)').waitFor()
    await viewer.goto(`/${slug}/digits/reports`)
    await expectRefused(viewer, 'New report')
    await look(viewer, 'list')

    // A link shows what is published, of this project alone: even where a panel names another.
    const { spec, version, title, description } = await anna.api.reports.get({ reportId })
    const blocks = readReport(spec)
    const panels = blocks.find((block) => block.kind === 'panels')!
    const other = { ...panels.runSets[0]!, project: 'hidden' }
    const { source: _, ...written } = panels
    await anna.api.reports.save({
      reportId,
      version,
      title,
      description,
      spec: writeReport([...blocks, { ...written, runSets: [other] }]),
      publish: true,
    })
    await author.goto(path)
    await author.getByText('secret-fox').waitFor()
    await press(author, 'Share')
    await press(author, 'Make a link')
    const link = await author.getByRole('dialog').locator('code').innerText()
    await outsider.goto(path)
    await outsider.getByRole('heading', { name: /not|nothing/i }).waitFor()
    const anybody = await visitor(browser, server.url)
    for (const { page } of [anybody, outsiders!]) {
      await page.goto(link)
      await page.getByText('Bob was here.').waitFor()
      await chartOf(page, 'loss').first().waitFor()
      await page.getByText('open-owl').first().waitFor()
      await page.getByText('Panels over another project, which this link does not show.').waitFor()
      expect(await page.content()).not.toContain('secret-fox')
      expect(await page.getByText('Which seed?').count()).toBe(0)
      expect(await page.getByRole('link', { name: 'open-owl' }).count()).toBe(0)
    }
    await look(anybody.page, 'shared')
    await author.getByRole('dialog').getByRole('button', { name: 'End' }).click()
    await author.getByRole('dialog').locator('code').waitFor({ state: 'detached' })
    await anybody.page.reload()
    await anybody.page.getByText('This link leads nowhere').waitFor()
    await look(anybody.page, 'ended')

    for (const { errors, context } of [annas!, bobs!, veras!, outsiders!, anybody]) {
      expect(errors).toEqual([])
      await context.close()
    }
  })
})
