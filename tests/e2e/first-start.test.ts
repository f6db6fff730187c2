/** From an empty data directory to a second person in a team, as the first people of a server go it, in a browser. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Browser } from 'playwright-core'
import { createClient } from '@teamgrid/api'
import { chromiumPath, launch } from '../support/chromium.ts'
import { part } from '../support/parts.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { until } from '../wandb/client.ts'
import { builtWebApp, picture, visitor, type Visitor } from './pages.ts'

const chromium = await part('chromium', chromiumPath)
const web = await part('the built web app', builtWebApp)

const ada = { username: 'ada', email: 'ada@example.org', password: 'correct horse battery' }
const bob = { username: 'bob', email: 'bob@example.org', password: 'staple battery horse' }

describe.skipIf(!chromium || !web)('the first people of a server', { timeout: 90_000 }, () => {
  let server: TestServer
  let browser: Browser
  let first: Visitor
  let second: Visitor
  let invitation: string

  beforeAll(async () => {
    server = await startServer()
    browser = await launch()
    first = await visitor(browser, server.url)
    second = await visitor(browser, server.url)
  }, 120_000)

  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  }, 60_000)

  async function fillAccount({ page }: Visitor, person: typeof ada): Promise<void> {
    await page.getByLabel('Username').fill(person.username)
    await page.getByLabel('E-mail').fill(person.email)
    await page.getByLabel('Password').fill(person.password)
    await page.getByRole('button', { name: 'Create account' }).click()
  }

  test('before anybody came, every page leads to a sign-in that names the printed link', async () => {
    await first.page.goto('/')
    await first.page.waitForURL(/\/login/)
    await first.page.getByText('one-time link that the server printed').waitFor()
  })

  test('the printed link makes the first admin, once', async () => {
    await until(() => server.output().includes('/signup?'), 20)
    const link = /http\S+\/signup\?\S+/.exec(server.output())![0]
    await first.page.goto(link)
    await fillAccount(first, ada)
    await first.page.getByRole('heading', { name: 'My teams' }).waitFor()

    await second.page.goto(link)
    await second.page.getByRole('heading', { name: 'This link was used' }).waitFor()
    expect(await second.page.getByRole('button', { name: 'Create account' }).count()).toBe(0)
  })

  test('without an invitation nobody else gets in', async () => {
    await second.page.goto('/signup')
    await second.page.getByRole('heading', { name: 'By invitation only' }).waitFor()
    expect(await second.page.getByLabel('Password').count()).toBe(0)
  })

  test('the admin makes a team and an invitation link', async () => {
    const { page } = first
    await page.getByRole('link', { name: 'Make a team' }).first().click()
    await page.getByRole('button', { name: 'New team' }).click()
    await page.getByRole('dialog', { name: 'New team' }).getByLabel('Short name').fill('vision')
    await page.getByRole('dialog').getByRole('button', { name: 'Make team' }).click()
    await page.waitForURL(/\/teams\/vision$/)
    await page.getByRole('button', { name: 'Invite', exact: true }).click()
    const shown = page.getByRole('figure').filter({ hasText: 'it is shown only now' })
    invitation = (await shown.locator('pre').innerText()).trim()
    expect(invitation).toContain(`${server.url}/invite/`)
  })

  test('the invited person makes an account and stands in the team', async () => {
    await second.page.goto(invitation)
    await second.page.getByText('ada invites you to work in vision as a member').waitFor()
    await fillAccount(second, bob)
    await second.page.waitForURL(/\/vision$/)
    await first.page.goto('/teams/vision')
    expect(await first.page.getByLabel('Role of bob').inputValue()).toBe('member')
  })

  test('an invitation link works once', async () => {
    const late = await visitor(browser, server.url)
    onTestFinished(() => late.context.close())
    await late.page.goto(invitation)
    await late.page.getByRole('heading', { name: 'This invitation does not work' }).waitFor()
  })

  test('a team and a project without experiments show commands with this server’s address', async () => {
    const { page } = second
    await page.goto('/vision')
    await page.getByText(`export WANDB_BASE_URL=${server.url}`).waitFor()
    await page.getByRole('button', { name: 'New project' }).click()
    await page.getByRole('dialog').getByLabel('Name').fill('edges')
    await page.getByRole('dialog').getByRole('button', { name: 'Make project' }).click()
    await page.waitForURL(/\/vision\/edges$/)
    await page.getByText(`export WANDB_BASE_URL=${server.url}`).waitFor()
    await page.getByText('wandb.init(entity="vision", project="edges"').waitFor()
    await picture(page, 'empty-project')
  })

  test('a fresh key is shown once, and it works', async () => {
    const { page } = second
    await page.goto('/authorize')
    const command = await page
      .getByRole('figure')
      .filter({ hasText: 'For machines without a terminal' })
      .locator('pre')
      .innerText()
    const key = /WANDB_API_KEY=(\S+)/.exec(command)![1]!
    expect(key).toMatch(/^([A-Za-z0-9_]{1,20}-)?[0-9a-z]{40}$/)
    const api = createClient({ url: server.url, headers: () => ({ authorization: `Bearer ${key}` }) })
    expect(await api.me.get()).toMatchObject({ user: { username: 'bob' }, via: 'key' })

    await page.reload()
    await page.getByText('WANDB_API_KEY=').waitFor()
    expect(await page.content()).not.toContain(key)
    expect(await api.me.keys()).toHaveLength(2)
  })

  test('the keyboard alone leads to a project', async () => {
    const { page } = second
    await page.goto('/')
    await page.getByRole('heading', { name: 'My teams' }).waitFor()
    await page.keyboard.press('Control+k')
    const palette = page.getByRole('combobox', { name: /^Search projects/ })
    await palette.waitFor()
    await page.keyboard.type('edges')
    await page.getByRole('option', { name: /vision \/ edges/, selected: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/vision\/edges$/)
    expect(await palette.count()).toBe(0)
    await page.keyboard.press('Control+k')
    await palette.waitFor()
    await page.keyboard.press('Escape')
    await palette.waitFor({ state: 'detached' })
  })

  test('a wrong password is told and signing out ends the session', async () => {
    const { page } = second
    const cookies = await second.context.cookies()
    await page.goto('/')
    await page.getByRole('button', { name: 'Menu of bob' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.waitForURL(/\/login/)
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    expect((await fetch(`${server.url}/api/me`, { headers: { cookie } })).status).toBe(401)

    await page.getByLabel('E-mail').fill(bob.email)
    await page.getByLabel('Password').fill('not the password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').waitFor()

    await page.goto('/vision/edges')
    await page.waitForURL(/\/login/)
    await page.getByLabel('E-mail').fill(bob.email)
    await page.getByLabel('Password').fill(bob.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(/\/vision\/edges$/)
  })

  test('who is removed loses the team at once', async () => {
    const { page } = second
    await page.goto('/vision')
    await page.getByRole('heading', { name: 'vision' }).waitFor()
    const admin = createClient({
      url: server.url,
      headers: () => ({ authorization: `Bearer ${server.operatorToken}` }),
    })
    await admin.teams.removeMember({ team: 'vision', username: 'bob' })
    expect((await second.context.request.get('/api/projects/vision/edges')).status()).toBe(404)
    await page.goto('/vision/edges')
    await page.getByText('Nothing here').waitFor()
    expect([first, second].flatMap(({ errors }) => errors)).toEqual([])
  })
})
