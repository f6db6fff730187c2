import { GridError } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import { randomText } from '../lib/ids.ts'

let app: TestApp
let now = Date.now()
beforeAll(async () => {
  app = await startApp({ clock: { now: () => new Date(now) } })
})
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

const code = (expected: string) => expect.objectContaining({ code: expected })
const slug = () => `x${randomText(8)}`

describe('coming in', () => {
  test('the one-time link makes the first admin once, and a wrong one makes nobody', async () => {
    const token = (await app.teams.newSetupToken())!
    const stranger = app.clientWith({})
    const person = { username: slug(), email: `${slug()}@example.org`, password: 'long enough' }
    await expect(stranger.instance.setUp({ ...person, token: 'guess' })).rejects.toEqual(code('not_found'))
    const made = await stranger.instance.setUp({ ...person, token })
    expect(made.organisationRole).toBe('admin')
    await expect(
      stranger.instance.setUp({ ...person, username: slug(), email: 'b@example.org', token }),
    ).rejects.toEqual(code('conflict'))
    expect(await app.teams.newSetupToken()).toBeUndefined()
    expect((await stranger.instance.about()).setupNeeded).toBe(false)
  })

  test('nobody signs up without an invitation while sign-up is closed, nor through the back door', async () => {
    const person = { username: slug(), email: `${slug()}@example.org`, password: 'long enough' }
    await expect(app.clientWith({}).instance.signUp(person)).rejects.toEqual(code('forbidden'))
    const back = await app.inject(
      new Request(`${app.origin}/api/auth/sign-up/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: app.origin },
        body: JSON.stringify({ ...person, name: 'x' }),
      }),
    )
    expect(back.status).toBeGreaterThanOrEqual(400)
    await expect(app.signIn(person.email, person.password)).rejects.toThrow()
  })

  test('names that are taken, reserved or unfit for a url are refused with the reason', async () => {
    const someone = await app.aPerson()
    const person = { email: `${slug()}@example.org`, password: 'long enough' }
    for (const [username, expected] of [
      [someone.username.toUpperCase(), 'conflict'],
      ['settings', 'conflict'],
      ['a/b', 'invalid'],
      ['-a', 'invalid'],
      ['', 'invalid'],
    ] as const) {
      await expect(app.operator.users.create({ ...person, username })).rejects.toEqual(code(expected))
    }
    await expect(
      app.operator.users.create({
        username: slug(),
        email: someone.email.toUpperCase(),
        password: 'long enough',
      }),
    ).rejects.toEqual(code('conflict'))
    await expect(
      app.operator.users.create({ username: slug(), email: 'x@example.org', password: 'short' }),
    ).rejects.toEqual(code('invalid'))
    await expect(
      app.operator.teams.create({ slug: someone.username, admin: someone.username }),
    ).rejects.toEqual(code('conflict'))
  })

  test('a password reset link sets a new password once and ends the old sessions', async () => {
    const person = await app.aPerson({ byCookie: true })
    const { url } = await app.operator.users.resetPassword({ username: person.username })
    const token = new URL(url).searchParams.get('token')
    const reset = () =>
      app.inject(
        new Request(`${app.origin}/api/auth/reset-password`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin: app.origin },
          body: JSON.stringify({ token, newPassword: 'a new password' }),
        }),
      )
    expect((await reset()).status).toBe(200)
    expect((await reset()).status).toBe(400)
    await expect(person.me.get()).rejects.toEqual(code('unauthenticated'))
    await expect(app.signIn(person.email, person.password)).rejects.toThrow()
    await app.signIn(person.email, 'a new password')
  })

  test('a disabled person is out by key and by cookie at once, and back when enabled', async () => {
    const person = await app.aPerson({ byCookie: true })
    const byKey = app.clientWith({ authorization: `Bearer ${person.key}` })
    await app.operator.users.change({ username: person.username, disabled: true })
    await expect(person.me.get()).rejects.toEqual(code('unauthenticated'))
    await expect(byKey.me.get()).rejects.toEqual(code('unauthenticated'))
    await app.operator.users.change({ username: person.username, disabled: false })
    expect((await byKey.me.get()).user.username).toBe(person.username)
  })

  test('guesses of a password are slowed for the address they come from, and for no other', async () => {
    const person = await app.aPerson()
    const guess = (address: string, headers: Record<string, string> = {}) =>
      app.inject(
        new Request(`${app.origin}/api/auth/sign-in/email`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            origin: app.origin,
            'x-forwarded-for': address,
            ...headers,
          },
          body: JSON.stringify({ email: person.email, password: 'wrong guess' }),
        }),
      )
    const statuses = []
    for (let each = 0; each < 21; each += 1) {
      // A header of our own making does not make a new address.
      statuses.push((await guess('192.0.2.1', { 'x-teamgrid-client-address': `192.0.2.${each}` })).status)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(20)
    expect(statuses.at(-1)).toBe(429)
    expect((await guess('192.0.2.2')).status).toBe(401)
    await app.signIn(person.email, person.password)
  })

  test('a page of another site cannot act with the cookie of a browser', async () => {
    const person = await app.aPerson({ byCookie: true })
    for (const headers of [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site', origin: app.origin },
    ]) {
      const answer = await app.inject(
        new Request(`${app.origin}/api/me/keys`, {
          method: 'POST',
          headers: { cookie: person.cookie, 'content-type': 'application/json', ...headers } as Record<
            string,
            string
          >,
          body: '{}',
        }),
      )
      expect(answer.status).toBe(403)
    }
    expect(await person.me.keys()).toHaveLength(1)
  })
})

describe('API keys', () => {
  test('a secret is 40 characters, shown once, stored as a hash, and dead when revoked', async () => {
    const person = await app.aPerson()
    const { secret, id } = await person.me.createKey({ name: 'laptop' })
    expect(secret).toMatch(/^[0-9a-z]{40}$/)
    const rows = await app.db.selectFrom('api_keys').selectAll().where('id', '=', id).execute()
    expect(JSON.stringify(rows)).not.toContain(secret)
    expect(JSON.stringify(await person.me.keys())).not.toContain(secret)

    const other = app.clientWith({
      authorization: `Basic ${Buffer.from(`api:${secret}`).toString('base64')}`,
    })
    expect((await other.me.get()).user.username).toBe(person.username)
    expect((await person.me.keys()).find((key) => key.id === id)!.lastUsedAt).not.toBeNull()
    await person.me.revokeKey({ keyId: id })
    await expect(other.me.get()).rejects.toEqual(code('unauthenticated'))
    await expect(person.me.revokeKey({ keyId: id })).rejects.toEqual(code('not_found'))
  })

  test('nobody revokes the key of somebody else, and only the operator makes one for them', async () => {
    const [person, other] = [await app.aPerson(), await app.aPerson()]
    const chief = await app.aPerson({ admin: true })
    const [key] = await other.me.keys()
    await expect(person.me.revokeKey({ keyId: key!.id })).rejects.toEqual(code('not_found'))
    await expect(chief.users.createKey({ username: other.username })).rejects.toEqual(code('forbidden'))
    await expect(person.users.keys({ username: other.username })).rejects.toBeInstanceOf(GridError)
    await chief.users.revokeKey({ username: other.username, keyId: key!.id })
    await expect(other.me.get()).rejects.toEqual(code('unauthenticated'))
  })

  test('the key of a job makes no key for everything, joins nothing and lists nothing', async () => {
    const { slug: team, member, admin } = await app.aTeam()
    const { secret, id } = await member.me.createKey({ name: 'job' })
    await app.db
      .updateTable('api_keys')
      .set({ scope: `experiment:${crypto.randomUUID()}` })
      .where('id', '=', id)
      .execute()
    const job = app.clientWith({ authorization: `Bearer ${secret}` })
    await expect(job.me.createKey({ name: 'all' })).rejects.toEqual(code('forbidden'))
    const [key] = await member.me.keys()
    await expect(job.me.revokeKey({ keyId: key!.id })).rejects.toEqual(code('forbidden'))
    const { url } = await admin.teams.invite({ team })
    await expect(job.invitations.accept({ token: url.split('/').at(-1)! })).rejects.toEqual(code('forbidden'))
    expect(await job.teams.list()).toEqual([])
    await expect(job.experiments.status({ scope: 'global', team })).rejects.toEqual(code('not_found'))
  })

  test('the key of somebody who works elsewhere lists nothing where they are view-only', async () => {
    const [here, elsewhere] = [await app.aTeam(), await app.aTeam()]
    await app.operator.teams.addMember({
      team: here.slug,
      username: elsewhere.member.username,
      role: 'viewer',
    })
    const byKey = elsewhere.member
    await expect(byKey.experiments.status({ scope: 'global', team: here.slug })).rejects.toEqual(
      code('not_found'),
    )
    expect((await byKey.teams.list()).map((team) => team.slug)).not.toContain(here.slug)
    const cookie = await app.signIn(byKey.email, byKey.password)
    const browser = app.clientWith({ cookie, origin: app.origin })
    expect((await browser.teams.list()).map((team) => team.slug)).toContain(here.slug)
  })

  test('a view-only member has no key, and the key of one who becomes view-only stops', async () => {
    const { slug: team, viewer, member, admin } = await app.aTeam()
    await expect(viewer.me.createKey({})).rejects.toEqual(code('forbidden'))
    await expect(app.operator.users.createKey({ username: viewer.username })).rejects.toEqual(
      code('conflict'),
    )
    await expect(app.clientWith({ authorization: `Bearer ${viewer.key}` }).me.get()).rejects.toEqual(
      code('unauthenticated'),
    )
    expect((await viewer.teams.get({ team })).role).toBe('viewer')
    await member.me.get()
    await admin.teams.changeMember({ team, username: member.username, role: 'viewer' })
    await expect(member.me.get()).rejects.toEqual(code('unauthenticated'))
  })
})

describe('teams', () => {
  test('a cursor that nobody handed out is refused, and is no bug', async () => {
    const { slug: team, admin } = await app.aTeam()
    for (const cursor of ['guess', '-'.repeat(36)]) {
      await expect(admin.teams.activity({ team, cursor })).rejects.toEqual(code('invalid'))
      await expect(admin.experiments.alerts({ team, cursor })).rejects.toEqual(code('invalid'))
    }
  })

  test('what one may not see answers exactly like what does not exist', async () => {
    const { slug: team, outsider, removed } = await app.aTeam()
    const missing = await outsider.teams.get({ team: 'no-such-team' }).catch((error: GridError) => error)
    for (const person of [outsider, removed]) {
      for (const ask of [
        () => person.teams.get({ team }),
        () => person.teams.members({ team }),
        () => person.teams.invite({ team }),
        () => person.projects.list({ team }),
        () => person.projects.create({ team, name: 'x' }),
        () => person.teams.removeMember({ team, username: 'whoever' }),
      ]) {
        const refused = await ask().catch((error: GridError) => error)
        expect(refused).toMatchObject({ code: 'not_found', message: (missing as GridError).message })
      }
    }
  })

  test('only organisation admins make teams, only team admins change roles', async () => {
    const { slug: team, member, mate, admin } = await app.aTeam()
    await expect(member.teams.create({ slug: slug() })).rejects.toBeInstanceOf(GridError)
    await expect(member.teams.changeMember({ team, username: mate.username, role: 'admin' })).rejects.toEqual(
      code('forbidden'),
    )
    await expect(member.teams.removeMember({ team, username: mate.username })).rejects.toEqual(
      code('forbidden'),
    )
    await admin.teams.changeMember({ team, username: mate.username, role: 'admin' })
    expect((await mate.teams.get({ team })).role).toBe('admin')
  })

  test('the last admin can neither leave nor step down, also when two try at once', async () => {
    const { slug: team, admin, mate } = await app.aTeam()
    await expect(admin.teams.removeMember({ team, username: admin.username })).rejects.toEqual(
      code('conflict'),
    )
    await expect(
      admin.teams.changeMember({ team, username: admin.username, role: 'member' }),
    ).rejects.toEqual(code('conflict'))
    await admin.teams.changeMember({ team, username: mate.username, role: 'admin' })
    const results = await Promise.allSettled([
      admin.teams.removeMember({ team, username: admin.username }),
      mate.teams.removeMember({ team, username: mate.username }),
    ])
    expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  test('a team admin is refused a personal team’s invitations', async () => {
    const person = await app.aPerson()
    await expect(person.teams.invite({ team: person.username })).rejects.toBeInstanceOf(GridError)
  })

  test('a policy preset and switches are set by admins, unknown ones are refused with the name', async () => {
    const { slug: team, member, admin } = await app.aTeam()
    await expect(member.teams.setPolicy({ team, preset: 'wandb' })).rejects.toEqual(code('forbidden'))
    await expect(admin.teams.setPolicy({ team, preset: 'nope' })).rejects.toThrow('nope')
    await expect(admin.teams.setPolicy({ team, overrides: { members_fly: true } })).rejects.toThrow(
      'members_fly',
    )
    await expect(
      admin.teams.setPolicy({ team, overrides: { team_admin_adds_credit: true } }),
    ).rejects.toEqual(code('policy_denied'))
    const changed = await admin.teams.setPolicy({
      team,
      preset: 'wandb',
      overrides: { members_can_invite: true },
    })
    expect(changed.policy.switches).toMatchObject({ members_stop_runs: false, members_can_invite: true })
    await member.teams.invite({ team })
    await expect(member.teams.invite({ team, role: 'admin' })).rejects.toEqual(code('forbidden'))
  })
})

describe('invitations', () => {
  test('a link brings one person in, with an account or without, and then no more', async () => {
    const { slug: team, admin } = await app.aTeam()
    const outsider = await app.aPerson({ byCookie: true })
    const first = await admin.teams.invite({ team, role: 'viewer' })
    const token = first.url.split('/').at(-1)!
    expect(await app.clientWith({}).invitations.get({ token })).toMatchObject({ team, role: 'viewer' })
    await outsider.invitations.accept({ token })
    await expect(outsider.invitations.accept({ token })).rejects.toEqual(code('not_found'))

    const second = await admin.teams.invite({ team })
    const username = slug()
    await app.clientWith({}).instance.signUp({
      invitation: second.url.split('/').at(-1)!,
      username,
      email: `${username}@example.org`,
      password: 'long enough',
    })
    expect((await admin.teams.members({ team })).find((member) => member.username === username)?.role).toBe(
      'member',
    )
  })

  test('links that somebody made as an admin end when they are one no more, or are shut out', async () => {
    const { slug: team, admin, mate, outsider } = await app.aTeam()
    await admin.teams.changeMember({ team, username: mate.username, role: 'admin' })
    const asAdmin = await mate.teams.invite({ team, role: 'admin' })
    await admin.teams.changeMember({ team, username: mate.username, role: 'member' })
    await expect(outsider.invitations.accept({ token: asAdmin.url.split('/').at(-1)! })).rejects.toThrow(
      /withdrawn/,
    )
    const [chief] = [await app.aPerson({ admin: true }), await app.aPerson({ admin: true })]
    for (const change of [{ organisationRole: 'member' as const }, { disabled: true }]) {
      await app.operator.users.change({
        username: chief.username,
        organisationRole: 'admin',
        disabled: false,
      })
      const link = await chief.teams.invite({ team, role: 'admin' })
      await app.operator.users.change({ username: chief.username, ...change })
      await expect(outsider.invitations.accept({ token: link.url.split('/').at(-1)! })).rejects.toThrow(
        /withdrawn/,
      )
    }
  })

  test('an expired, withdrawn or foreign invitation is refused with the reason', async () => {
    const { slug: team, admin, outsider, member } = await app.aTeam()
    const bound = await admin.teams.invite({ team, email: 'someone@example.org' })
    await expect(outsider.invitations.accept({ token: bound.url.split('/').at(-1)! })).rejects.toThrow(
      'someone@example.org',
    )
    const withdrawn = await admin.teams.invite({ team })
    await expect(member.teams.revokeInvitation({ team, invitationId: withdrawn.id })).rejects.toEqual(
      code('forbidden'),
    )
    await admin.teams.revokeInvitation({ team, invitationId: withdrawn.id })
    await expect(outsider.invitations.accept({ token: withdrawn.url.split('/').at(-1)! })).rejects.toThrow(
      'withdrawn',
    )
    const short = await admin.teams.invite({ team, expiresInDays: 1 })
    now += 25 * 60 * 60 * 1000
    await expect(outsider.invitations.accept({ token: short.url.split('/').at(-1)! })).rejects.toThrow(
      'expired',
    )
  })
})

describe('service accounts', () => {
  test('they act in their team alone, cannot sign in, and end with their removal', async () => {
    const { slug: team, admin, member, service } = await app.aTeam()
    await expect(member.teams.createServiceAccount({ team, username: slug() })).rejects.toEqual(
      code('forbidden'),
    )
    expect((await service.teams.list()).map((each) => each.slug)).toEqual([team])
    await expect(service.me.createKey({})).rejects.toEqual(code('forbidden'))
    await expect(app.operator.users.resetPassword({ username: service.username })).rejects.toEqual(
      code('not_found'),
    )
    await admin.teams.removeMember({ team, username: service.username })
    await expect(service.teams.list()).rejects.toEqual(code('unauthenticated'))
  })

  test('it is refused to work for who left, and not told whether a stranger exists', async () => {
    const { service, outsider, removed, viewer, member } = await app.aTeam()
    const as = (username: string) =>
      app.clientWith({ authorization: `Bearer ${service.key}`, 'x-wandb-username': username })
    for (const person of [removed, viewer]) {
      await expect(as(person.username).me.get()).rejects.toEqual(code('forbidden'))
    }
    await as(outsider.username).me.get()
    await as(member.username).me.get()
    await as('').me.get()
    await as('nobody-here').me.get()
  })
})
