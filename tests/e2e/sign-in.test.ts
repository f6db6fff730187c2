/** Coming in: single sign-on set up on the organisation's page and used, and a second factor with its codes. */
import { readFile } from 'node:fs/promises'
import { createClient } from '@teamgrid/api'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, launch } from '../support/chromium.ts'
import { type OidcProvider, startOidcProvider } from '../support/oidc.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/programs.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { totpOf } from '../support/totp.ts'
import { builtWebApp, signIn, visitor } from './pages.ts'

const chromium = await part('chromium', chromiumPath)
const web = await part('the built web app', builtWebApp)

describe.skipIf(!chromium || !web)('coming in', { timeout: 120_000 }, () => {
  let server: TestServer
  let provider: OidcProvider
  let browser: Browser
  const chief = { email: 'chief@example.org', password: 'correct horse battery' }

  beforeAll(async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    provider = await startOidcProvider(`${url}/api/auth/callback/oidc`)
    server = await startServer({
      port,
      env: { TEAMGRID_URL: url, TEAMGRID_PRIVATE_WEBHOOKS: '127.0.0.0/8' },
    })
    const operator = createClient({
      url: server.url,
      headers: () => ({ authorization: `Bearer ${server.operatorToken}` }),
    })
    await operator.users.create({ username: 'chief', ...chief, admin: true })
    await operator.teams.create({ slug: 'vision', admin: 'chief' })
    browser = await launch()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await provider?.close()
  })

  test('an admin sets a provider up and tries it; a colleague comes in through it', async () => {
    const admin = await visitor(browser, server.url)
    await signIn(admin.page, chief)
    await admin.page.goto('/admin')
    await admin.page.getByRole('link', { name: 'Single sign-on' }).click()
    await admin.page.getByRole('button', { name: 'Set up' }).first().click()
    const form = admin.page.getByRole('dialog')
    expect(await form.locator('pre').textContent()).toBe(`${server.url}/api/auth/callback/oidc`)
    await form.getByLabel('Issuer').fill(provider.issuer)
    await form.getByLabel('Name on the button').fill('Company login')
    await form.getByLabel('Client id').fill(provider.client.clientId)
    await form.getByLabel('Client secret').fill('not this one')
    await form.getByRole('button', { name: 'Test this provider' }).click()
    await form.getByText('does not take this client id and secret').waitFor()
    await form.getByLabel('Client secret').fill(provider.client.clientSecret)
    await form.getByRole('button', { name: 'Test this provider' }).click()
    await form.getByText('Client id and secret are taken').waitFor()
    await form.getByRole('button', { name: 'Save' }).click()
    await form.waitFor({ state: 'detached' })
    await admin.page.getByText('“Company login” at').waitFor()
    await admin.page.getByLabel('Domains').fill('example.org')
    await admin.page.getByLabel('Teams they join').fill('vision')
    await admin.page.getByRole('button', { name: 'Save' }).click()
    await admin.page.getByText('Saved').first().waitFor()
    expect(await admin.page.content()).not.toContain(provider.client.clientSecret)

    provider.signsIn({ sub: 'mallory', email: 'mallory@example.org', email_verified: false, name: 'M' })
    const stranger = await visitor(browser, server.url)
    await stranger.page.goto('/login')
    await stranger.page.getByRole('button', { name: 'Continue with Company login' }).click()
    await stranger.page.getByText('has not verified your e-mail address').waitFor()

    provider.signsIn({ sub: 'ada', email: 'ada@example.org', email_verified: true, name: 'Ada Lovelace' })
    const ada = await visitor(browser, server.url)
    await ada.page.goto('/vision')
    await ada.page.getByRole('button', { name: 'Continue with Company login' }).click()
    await ada.page.getByRole('button', { name: /^Menu of / }).waitFor()
    expect(new URL(ada.page.url()).pathname).toBe('/vision')
    expect([...admin.errors, ...stranger.errors, ...ada.errors]).toEqual([])
  })

  test('a second factor is set up, its codes kept as a file, and asked for at the next sign-in', async () => {
    const { page, errors } = await visitor(browser, server.url, { acceptDownloads: true })
    await signIn(page, chief)
    await page.goto('/settings')
    await page.getByRole('button', { name: 'Set up' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Password').fill(chief.password)
    await dialog.getByRole('button', { name: 'Continue' }).click()
    await dialog.getByText('No camera?').click()
    const secret = (await dialog.locator('details p').textContent())!.trim()
    await dialog.getByLabel('Code of your app').fill(totpOf(secret))
    await dialog.getByRole('button', { name: 'Turn on' }).click()
    const shown = (await dialog.locator('pre').textContent())!.trim().split('\n')
    const downloading = page.waitForEvent('download')
    await dialog.getByRole('button', { name: 'Download' }).click()
    const kept = await readFile((await (await downloading).path())!, 'utf8')
    expect(kept.trimEnd().split('\n').slice(-shown.length)).toEqual(shown)
    await dialog.getByRole('button', { name: 'I have kept them' }).click()
    await page.getByText('✓ on').waitFor()

    const again = await visitor(browser, server.url)
    await again.page.goto('/login')
    await again.page.getByLabel('E-mail').fill(chief.email)
    await again.page.getByLabel('Password').fill(chief.password)
    await again.page.getByRole('button', { name: 'Sign in' }).click()
    await again.page.getByLabel('Code of your app').fill('000000')
    await again.page.getByRole('button', { name: 'Continue', exact: true }).click()
    await again.page.getByRole('alert').waitFor()
    await again.page.getByRole('button', { name: 'Use a backup code' }).click()
    await again.page.getByLabel('Backup code').fill(shown[0]!)
    await again.page.getByRole('button', { name: 'Continue', exact: true }).click()
    await again.page.getByRole('button', { name: /^Menu of / }).waitFor()
    expect([...errors, ...again.errors]).toEqual([])
  })
})
