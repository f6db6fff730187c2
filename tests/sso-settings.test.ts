/** Single sign-on set up on the organisation's page; and GitHub and Google, played by a stand-in on loopback. */
import type { Sso, SsoChange } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { randomText } from '../server/src/lib/ids.ts'
import { startApp, type TestApp, type TestPerson } from './support/app.ts'
import { standInClient, type StandInPerson, startOauthStandIn } from './support/oauth-stand-in.ts'
import { type OidcProvider, startOidcProvider } from './support/oidc.ts'

const origin = 'http://teamgrid.test'
let provider: OidcProvider
let standIn: Awaited<ReturnType<typeof startOauthStandIn>>
let app: TestApp
let chief: TestPerson
let oidc: NonNullable<SsoChange['oidc']>
beforeAll(async () => {
  provider = await startOidcProvider(`${origin}/api/auth/callback/oidc`)
  standIn = await startOauthStandIn()
  app = await startApp({ sso: { google: standInClient }, privateWebhooks: ['127.0.0.0/8'] })
  chief = await app.aPerson({ username: 'chief', admin: true, byCookie: true })
  await app.operator.teams.create({ slug: 'vision', admin: 'chief' })
  oidc = {
    ...provider.client,
    issuer: provider.issuer,
    name: 'Company login',
    scopes: ['openid', 'profile', 'email'],
    groupsClaim: 'groups',
  }
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  await provider.close()
  await standIn.close()
})

const set = (change: SsoChange) => chief.organisation.changeSso(change)
const invalid = (says: string) =>
  expect.objectContaining({ code: 'invalid', message: expect.stringContaining(says) })
let addresses = 0
const post = (path: string, body: object, cookie = '') =>
  app.inject(
    new Request(`${origin}/api/auth/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        origin,
        cookie,
        'x-forwarded-for': `10.8.0.${(addresses += 1)}`,
      },
      body: JSON.stringify(body),
    }),
  )
const cookiesOf = (answer: Response) =>
  answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0]!)
    .filter((cookie) => !cookie.endsWith('='))
    .join('; ')

/** The whole way through a provider. @returns the cookie, or why not. */
async function comeIn(
  id: 'oidc' | 'github' | 'google',
  agree: (url: string) => Promise<string> | string,
  cookie?: string,
): Promise<{ cookie: string; refused: string | null }> {
  const begun = await post(
    cookie === undefined ? 'sign-in/social' : 'link-social',
    { provider: id, callbackURL: '/settings', errorCallbackURL: '/login' },
    cookie,
  )
  const { url } = (await begun.json()) as { url: string }
  const jar = [cookie, cookiesOf(begun)].filter(Boolean).join('; ')
  const done = await app.inject(new Request(await agree(url), { headers: { cookie: jar } }))
  const location = new URL(done.headers.get('location') ?? '/', origin)
  return { cookie: cookiesOf(done), refused: location.searchParams.get('error') }
}
const as = (cookie: string) => app.clientWith({ cookie, origin })
const meOf = async (cookie: string) => await as(cookie).me.get()

describe('the settings', () => {
  test('are for organisation admins alone', async () => {
    const member = await app.aPerson()
    for (const act of [
      () => member.organisation.sso(),
      () => member.organisation.changeSso({ only: false }),
      () => member.organisation.testSso({ provider: 'oidc' }),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'forbidden' })
  })

  test.each<[string, SsoChange, string]>([
    ['a provider without a secret', { github: { clientId: 'x' } }, 'Enter the client secret'],
    ['what the environment sets', { google: null }, "google: set by the server's environment"],
    ['passwords off without a break-glass admin', { only: true }, 'break-glass admin'],
    ['a break-glass admin who is none', { only: true, breakGlass: ['nobody'] }, 'break-glass admin'],
  ])('refuse %s', async (_, change, says) => {
    await expect(set(change)).rejects.toEqual(invalid(says))
  })

  test('refuse issuers inside the network, and teams that are not there', async () => {
    await expect(set({ oidc: { ...oidc, issuer: 'http://10.0.0.1' } })).rejects.toEqual(
      invalid('private address'),
    )
    await expect(set({ joinTeams: [{ team: 'nowhere', role: 'member' }] })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(set({ domains: ['not a domain'] })).rejects.toMatchObject({ code: 'invalid' })
  })

  test('keep a secret sealed, show it to nobody, and send it to no other place', async () => {
    const shown: Sso[] = [await set({ oidc, domains: ['Example.org'] }), await chief.organisation.sso()]
    expect(shown[1]).toMatchObject({
      oidc: { name: 'Company login', clientId: 'teamgrid', hasSecret: true },
      google: { clientId: standInClient.clientId, hasSecret: true },
      domains: ['example.org'],
      fixed: ['google'],
      missing: null,
    })
    const { items } = await app.operator.audit.organisation({ action: 'org:settings' })
    expect(items[0]!.details).toMatchObject({ what: 'single sign-on', oidc: { clientSecret: 'another one' } })
    const rows = await app.db.selectFrom('sso_settings').selectAll().execute()
    for (const secret of [oidc.clientSecret!, standInClient.clientSecret])
      expect(JSON.stringify([shown, items, rows])).not.toContain(secret)
    // Another name keeps the secret, another issuer or client does not.
    const { clientSecret: _, ...bare } = oidc
    expect((await set({ oidc: { ...bare, name: 'Login' } })).oidc).toMatchObject({ hasSecret: true })
    for (const other of [{ issuer: 'https://evil.example.org' }, { clientId: 'other' }])
      await expect(set({ oidc: { ...bare, ...other } })).rejects.toEqual(invalid('Enter the client secret'))
    await set({ oidc })
  })
})

describe('the test of a provider', () => {
  const says = async (input: Parameters<typeof chief.organisation.testSso>[0]) => {
    const { ok, checks } = await chief.organisation.testSso(input)
    return [ok, checks.at(-1)!.says, checks.length] as const
  }

  test('finds endpoints and keys, and has the client tried', async () => {
    expect(await says({ provider: 'oidc' })).toEqual([true, 'Client id and secret are taken', 3])
    expect(
      (await says({ provider: 'oidc', issuer: provider.issuer, clientId: 'teamgrid', clientSecret: 'x' }))[1],
    ).toBe('The provider does not take this client id and secret')
  })

  test('tells what is wrong, and asks nobody inside the network', async () => {
    const at = (issuer: string) => says({ provider: 'oidc', issuer, clientId: 'x', clientSecret: 'y' })
    expect((await at('http://10.0.0.1:1'))[1]).toContain('private address')
    expect((await at(`${provider.issuer}/nothing`))[1]).toContain('answers 404')
    // Another name of the same machine is another issuer.
    expect((await at(provider.issuer.replace('127.0.0.1', '127.0.0.2')))[0]).toBe(false)
    // The stored secret does not go along to another issuer.
    expect((await says({ provider: 'oidc', issuer: `${provider.issuer}/` }))[1]).toBe(
      'Enter client id and secret to have them tried',
    )
  })
})

describe('an OpenID provider that was set on the page', () => {
  const somebody = (claims: { groups?: string[] } = {}) => {
    const sub = randomText(8)
    return { sub, email: `${sub}@example.org`, email_verified: true, name: `Name ${sub}`, ...claims }
  }

  test('lets people of its domains in, into the teams they join, with what their groups give', async () => {
    await set({
      joinTeams: [{ team: 'vision', role: 'viewer' }],
      roles: [{ group: 'it', organisation: 'admin' }],
    })
    const claims = somebody({ groups: ['it'] })
    const { cookie, refused } = await comeIn('oidc', (url) => provider.visit(url, claims))
    expect(refused).toBeNull()
    const me = await meOf(cookie)
    expect(me.user.organisationRole).toBe('admin')
    expect(me.teams.find(({ slug }) => slug === 'vision')?.role).toBe('viewer')
    const { items } = await app.operator.audit.team({ team: 'vision', action: 'member:join' })
    expect(items[0]).toMatchObject({ details: { because: 'domain', role: 'viewer' } })
    // Who was taken out does not come back by signing in again.
    await app.operator.teams.removeMember({ team: 'vision', username: me.user.username })
    const again = await comeIn('oidc', (url) => provider.visit(url, claims))
    expect((await meOf(again.cookie)).teams.map(({ slug }) => slug)).not.toContain('vision')
  })

  test('takes no more people than there are seats', async () => {
    await set({ joinTeams: [] })
    await app.operator.organisation.changePlan({ seats: 1 })
    const { refused, cookie } = await comeIn('oidc', (url) => provider.visit(url, somebody()))
    expect(cookie).not.toContain('session_token')
    expect(refused).not.toBeNull()
    await app.operator.organisation.changePlan({ seats: null })
  })

  test('can be the only way, with an admin who gets in without it; and is gone when taken away', async () => {
    expect((await set({ only: true, breakGlass: ['chief'] })).only).toBe(true)
    const member = await app.aPerson()
    const about = () => app.clientWith({}).instance.about()
    expect((await about()).signIn.password).toBe(false)
    expect((await post('sign-in/email', member)).status).toBe(403)
    expect((await post('sign-in/email', { email: chief.email, password: chief.password })).status).toBe(200)
    await set({ only: false, oidc: null })
    expect((await about()).signIn).toEqual({ password: true, providers: [{ id: 'google', name: 'Google' }] })
    expect((await post('sign-in/email', member)).status).toBe(200)
    expect((await post('sign-in/social', { provider: 'oidc', callbackURL: '/' })).status).toBe(404)
  })
})

describe.each(['github', 'google'] as const)('%s, played by a stand-in', (id) => {
  beforeAll(() => set({ domains: ['example.org'], ...(id === 'github' ? { github: standInClient } : {}) }))

  const somebody = (mail: Partial<StandInPerson['emails'][number]> = {}): StandInPerson => {
    const number = String(10_000_000 + Math.floor(Math.random() * 80_000_000))
    return {
      id: number,
      login: `Octo-${number}`,
      name: 'Octo Cat',
      emails: [
        { email: `octo-${number}@example.org`, primary: true, verified: true, ...mail },
        { email: `octo-${number}@elsewhere.net`, primary: false, verified: true },
      ],
    }
  }
  const enter = (person: StandInPerson, cookie?: string) =>
    comeIn(id, (url) => standIn.agree(url, person), cookie)

  test('lets somebody of the domain in, twice as the same person', async () => {
    const person = somebody()
    const first = await enter(person)
    expect(first.refused).toBeNull()
    const me = await meOf(first.cookie)
    expect(me.user).toMatchObject({ email: person.emails[0]!.email, name: 'Octo Cat' })
    expect(me.user.username).toBe(`octo-${person.id}`)
    expect((await meOf((await enter({ ...person, name: 'Other' })).cookie)).user.id).toBe(me.user.id)
    expect(standIn.asked).toContain(
      id === 'github' ? 'GET api.github.com/user/emails' : 'POST oauth2.googleapis.com/token',
    )
  })

  test('lets in neither an address it has not verified, nor one of another domain', async () => {
    expect((await enter(somebody({ verified: false }))).refused).toBe('email_not_verified')
    expect((await enter(somebody({ email: `zoe${randomText(4)}@elsewhere.org` }))).refused).toBe(
      'not_invited',
    )
  })

  test('opens an account that is there only when its owner linked it', async () => {
    const owner = await app.aPerson({ byCookie: true })
    const person = somebody({ email: owner.email })
    expect((await enter(person)).refused).toBe('account_not_linked')
    expect((await enter(person, owner.cookie)).refused).toBeNull()
    expect((await meOf((await enter(person)).cookie)).user.username).toBe(owner.username)
    const { items } = await app.operator.audit.organisation({
      actor: owner.username,
      action: 'user:sign-in-change',
    })
    expect(items[0]).toMatchObject({ details: { to: 'linked', by: id } })
  })

  test('opens nothing with a code that was used', async () => {
    let back = ''
    await comeIn(id, (url) => (back = standIn.agree(url, somebody())))
    const code = new URL(back).searchParams.get('code')!
    const reused = await comeIn(id, (url) => {
      const fresh = new URL(standIn.agree(url, somebody()))
      fresh.searchParams.set('code', code)
      return fresh.href
    })
    expect(reused.refused).not.toBeNull()
    expect(reused.cookie).not.toContain('session_token')
  })
})
