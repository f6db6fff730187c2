/** Signing in through a real OpenID Connect provider, with groups, without passwords, and with second factors. */
import type { SsoChange } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { randomText } from '../server/src/lib/ids.ts'
import type { SsoSettings } from '../server/src/teams/sso.ts'
import { startApp, type TestApp } from './support/app.ts'
import { type Claims, type OidcProvider, startOidcProvider } from './support/oidc.ts'
import { totpOf } from './support/totp.ts'

const origin = 'http://teamgrid.test'
let provider: OidcProvider
let app: TestApp
beforeAll(async () => {
  provider = await startOidcProvider(`${origin}/api/auth/callback/oidc`)
  const settings: Partial<SsoSettings> = {
    oidc: {
      ...provider.client,
      issuer: provider.issuer,
      name: 'Company login',
      scopes: ['openid', 'profile', 'email'],
      groupsClaim: 'groups',
    },
    domains: ['example.org'],
    roles: [
      { group: 'vision-people', team: 'vision', role: 'member' },
      { group: 'vision-leads', team: 'vision', role: 'admin' },
      { group: 'it', organisation: 'admin' },
    ],
  }
  app = await startApp({ sso: settings })
  const chief = await app.aPerson({ username: 'chief', admin: true })
  await app.operator.teams.create({ slug: 'vision', admin: chief.username })
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  await provider.close()
})

let addresses = 0
const post = (path: string, body: object, cookie = '') =>
  app.inject(
    new Request(`${origin}/api/auth/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        origin,
        cookie,
        'x-forwarded-for': `10.9.0.${(addresses += 1)}`,
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

const somebody = (claims: Partial<Claims> = {}): Claims => {
  const sub = randomText(8)
  return { sub, email: `${sub}@example.org`, email_verified: true, name: `Name ${sub}`, ...claims }
}

/** The whole way through the provider. @returns the cookie, or why not. */
async function comeIn(claims: Claims): Promise<{ cookie: string; refused: string | null }> {
  const begun = await post('sign-in/social', {
    provider: 'oidc',
    callbackURL: '/',
    errorCallbackURL: '/login',
  })
  const { url } = (await begun.json()) as { url: string }
  const back = await provider.visit(url, claims)
  const done = await app.inject(new Request(back, { headers: { cookie: cookiesOf(begun) } }))
  const location = new URL(done.headers.get('location') ?? '/', origin)
  return { cookie: cookiesOf(done), refused: location.searchParams.get('error') }
}

const as = (cookie: string) => app.clientWith({ cookie, origin })

describe('through the provider', () => {
  test('somebody of the domain becomes a person with a team, once, and it is written down', async () => {
    const claims = somebody({ preferred_username: 'Ada.Lovelace' })
    const first = await comeIn(claims)
    expect(first.refused).toBeNull()
    const me = await as(first.cookie).me.get()
    expect(me.user).toMatchObject({
      username: 'ada.lovelace',
      email: claims.email,
      organisationRole: 'member',
    })
    expect(me.teams.map(({ slug }) => slug)).toEqual(['ada.lovelace'])
    const again = await comeIn({ ...claims, name: 'Other' })
    expect((await as(again.cookie).me.get()).user.id).toBe(me.user.id)
    const { items } = await app.operator.audit.organisation({ actor: 'ada.lovelace', action: 'user:sign-in' })
    expect(items.map(({ details }) => details['by'])).toEqual(['oidc', 'oidc'])
    expect(items[0]!.address).toMatch(/\d/)
    // The same wish of somebody else gets a number.
    const other = await comeIn(somebody({ preferred_username: 'Ada.Lovelace' }))
    expect((await as(other.cookie).me.get()).user.username).toBe('ada.lovelace2')
  })

  test('is offered on the sign-in page', async () => {
    expect((await app.clientWith({}).instance.about()).signIn).toEqual({
      password: true,
      providers: [{ id: 'oidc', name: 'Company login' }],
    })
  })

  test('who is of another domain is refused, unless they have an account', async () => {
    const stranger = await comeIn(somebody({ email: 'zoe@elsewhere.org' }))
    expect(stranger.refused).toBe('not_invited')
    expect(stranger.cookie).not.toContain('session_token')
  })

  test('a forged answer, or one of another browser, opens nothing', async () => {
    const begun = await post('sign-in/social', {
      provider: 'oidc',
      callbackURL: '/',
      errorCallbackURL: '/login',
    })
    const { url } = (await begun.json()) as { url: string }
    const back = await provider.visit(url, somebody())
    const elsewhere = await app.inject(new Request(back))
    expect(elsewhere.headers.get('location')).toContain('error=')
    expect(cookiesOf(elsewhere)).not.toContain('session_token')
    const forged = new URL(back)
    forged.searchParams.set('code', 'made-up')
    const refused = await app.inject(new Request(forged, { headers: { cookie: cookiesOf(begun) } }))
    expect(cookiesOf(refused)).not.toContain('session_token')
  })

  test('nobody is sent to another site afterwards', async () => {
    const answer = await post('sign-in/social', { provider: 'oidc', callbackURL: 'https://evil.example/' })
    expect(answer.status).toBe(403)
  })
})

describe('an account that is there', () => {
  test('is not taken by who claims its address without proof', async () => {
    const victim = await app.aPerson()
    for (const email_verified of [false, undefined]) {
      const thief = await comeIn(
        somebody({ email: victim.email, ...(email_verified === undefined ? {} : { email_verified }) }),
      )
      expect(thief.refused).not.toBeNull()
      expect(thief.cookie).not.toContain('session_token')
    }
    const unproven = await comeIn({
      sub: randomText(8),
      email: `new-${randomText(5)}@example.org`,
      name: 'N',
    })
    expect(unproven.refused).toBe('email_not_verified')
  })

  test('that was made under an address nobody proved is not handed to its true owner either', async () => {
    // Or its maker would sit in it with a password and wait.
    const squatter = await app.aPerson()
    const owner = await comeIn(somebody({ email: squatter.email }))
    expect(owner.refused).toBe('account_not_linked')
  })

  test('is linked by its owner from within, and opens the same account afterwards', async () => {
    const person = await app.aPerson({ byCookie: true })
    const begun = await post('link-social', { provider: 'oidc', callbackURL: '/settings' }, person.cookie)
    const { url } = (await begun.json()) as { url: string }
    const claims = somebody({ email: person.email })
    const back = await provider.visit(url, claims)
    const done = await app.inject(
      new Request(back, { headers: { cookie: `${person.cookie}; ${cookiesOf(begun)}` } }),
    )
    expect(done.headers.get('location')).not.toContain('error')
    const { cookie, refused } = await comeIn(claims)
    expect(refused).toBeNull()
    expect((await as(cookie).me.get()).user.username).toBe(person.username)
  })

  test('that was disabled stays shut', async () => {
    const claims = somebody()
    const { cookie } = await comeIn(claims)
    const { user } = await as(cookie).me.get()
    await app.operator.users.change({ username: user.username, disabled: true })
    const again = await comeIn(claims)
    expect(again.cookie).not.toContain('session_token')
  })
})

describe('groups', () => {
  test('give roles in teams and in the organisation, and take what they gave', async () => {
    const claims = somebody({ groups: ['vision-people', 'it', 'unknown'] })
    const roles = async (groups: string[]) => {
      const { cookie } = await comeIn({ ...claims, groups })
      const { user, teams } = await as(cookie).me.get()
      return [user.organisationRole, teams.find(({ slug }) => slug === 'vision')?.role ?? null]
    }
    expect(await roles(['vision-people', 'it', 'unknown'])).toEqual(['admin', 'member'])
    expect(await roles(['vision-people', 'vision-leads'])).toEqual(['member', 'admin'])
    expect(await roles([])).toEqual(['member', null])
    const { items } = await app.operator.audit.team({ team: 'vision', action: 'member:' })
    expect(items.slice(0, 3).map(({ action }) => action)).toEqual([
      'member:remove',
      'member:edit',
      'member:join',
    ])
  })

  test('do not lower or take what people gave', async () => {
    const claims = somebody()
    const { cookie } = await comeIn(claims)
    const { user } = await as(cookie).me.get()
    await app.operator.teams.addMember({ team: 'vision', username: user.username, role: 'admin' })
    for (const groups of [['vision-people'], []]) {
      const { teams } = await as((await comeIn({ ...claims, groups })).cookie).me.get()
      expect(teams.find(({ slug }) => slug === 'vision')?.role).toBe('admin')
    }
  })
})

describe('where passwords are off', () => {
  const set = (change: SsoChange) => app.operator.organisation.changeSso(change)
  beforeAll(() => set({ only: true, breakGlass: ['chief'] }))
  afterAll(() => set({ only: false, breakGlass: [] }))

  test('only the break-glass admin gets in by one', async () => {
    const member = await app.aPerson()
    const refused = await post('sign-in/email', { email: member.email, password: member.password })
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('sign in with Company login')
    const chief = await post('sign-in/email', {
      email: 'chief@example.org',
      password: 'correct horse battery',
    })
    expect(chief.status).toBe(200)
    expect((await comeIn(somebody())).refused).toBeNull()
  })

  test('a break-glass account that is no admin is an ordinary one', async () => {
    const member = await app.aPerson()
    await set({ breakGlass: ['chief', member.username] })
    expect((await post('sign-in/email', { email: member.email, password: member.password })).status).toBe(403)
  })
})

describe('a second factor', () => {
  const codeOf = (uri: string, stepsLater = 0) => totpOf(new URL(uri).searchParams.get('secret')!, stepsLater)

  test('is enrolled with the password, asked at sign-in, and a backup code works once', async () => {
    const person = await app.aPerson({ byCookie: true })
    const wrong = await post('two-factor/enable', { password: 'not it at all' }, person.cookie)
    expect(wrong.status).toBe(400)
    const begun = await post('two-factor/enable', { password: person.password }, person.cookie)
    const { totpURI, backupCodes } = (await begun.json()) as { totpURI: string; backupCodes: string[] }
    expect(backupCodes.length).toBeGreaterThan(5)
    // Until a first code proves that the app has it, the password alone still opens.
    expect(await (await post('sign-in/email', person)).json()).not.toHaveProperty('twoFactorRedirect')
    const enrolled = await post('two-factor/verify-totp', { code: codeOf(totpURI) }, person.cookie)
    expect(enrolled.status).toBe(200)

    const signIn = () => post('sign-in/email', { email: person.email, password: person.password })
    const challenged = await signIn()
    expect(await challenged.json()).toMatchObject({ twoFactorRedirect: true })
    expect((await app.inject(meRequest(cookiesOf(challenged)))).status).toBe(401)
    expect((await post('two-factor/verify-totp', { code: '000000' }, cookiesOf(challenged))).status).toBe(401)
    const passed = await post(
      'two-factor/verify-totp',
      { code: codeOf(totpURI, 1) },
      cookiesOf(await signIn()),
    )
    expect(passed.status).toBe(200)
    expect((await as(cookiesOf(passed)).me.get()).user.username).toBe(person.username)

    const byCode = await post(
      'two-factor/verify-backup-code',
      { code: backupCodes[0] },
      cookiesOf(await signIn()),
    )
    expect(byCode.status).toBe(200)
    const twice = await post(
      'two-factor/verify-backup-code',
      { code: backupCodes[0] },
      cookiesOf(await signIn()),
    )
    expect(twice.status).not.toBe(200)
    const [row] = await app.db.selectFrom('auth_two_factor').selectAll().execute()
    expect(JSON.stringify(row)).not.toContain(backupCodes[1])
    const { items } = await app.operator.audit.organisation({
      actor: person.username,
      action: 'user:sign-in',
    })
    // Twice before enrolling, the fresh session of enrolling, then once for each that passed both.
    expect(items).toHaveLength(5)
  })
})

const meRequest = (cookie: string) => new Request(`${origin}/api/me`, { headers: { cookie } })
