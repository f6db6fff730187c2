/**
 * What a team's members expect of it beyond the matrix: invitations that arrive, removals that say what they do, locks,
 * seats, requests, privacy, and reasons. Names begin with the row of the product's acceptance list they prove.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import { type MailServer, startMailServer } from '../../../tests/support/smtp.ts'
import { randomText } from '../lib/ids.ts'

let mail: MailServer
let app: TestApp
beforeAll(async () => {
  mail = await startMailServer()
  app = await startApp({ mail: mail.settings })
})
afterAll(async () => {
  expect(app?.errors).toEqual([])
  await app?.close()
  await mail?.stop()
})

const code = (name: string) => expect.objectContaining({ code: name })
const slugOf = () => `t${randomText(8)}`

/** The token at the end of the link in what was last sent to an address. */
async function linkTo(
  address: string,
): Promise<{ token: string; text: string; html: string; subject: string }> {
  await app.mailer.step()
  const found = mail.mails.findLast((each) => each.to.includes(address))
  if (!found) throw new Error(`Nothing came to ${address}`)
  const [, token] = /\/invite\/([\w-]+)/.exec(found.text) ?? []
  return { ...found, token: token! }
}

const signUp = (token: string, username: string, email: string) =>
  app
    .clientWith({})
    .instance.signUp({ invitation: token, username, email, password: 'correct horse battery' })

describe('invitations', () => {
  test('C10: somebody without an account gets a letter, signs up by its link and is in', async () => {
    const { admin, slug } = await app.aTeam()
    const email = `new.${randomText(6)}@example.org`
    const made = await admin.teams.invite({ team: slug, email })
    expect(made.mail).toEqual({ state: 'sent', says: `A message is on its way to ${email}.` })
    const { token, subject, text, html } = await linkTo(email)
    expect(subject).toBe(`${admin.username} invites you to ${slug}`)
    expect(text).toContain(made.url)
    expect(html).toContain(`href="${made.url}"`)
    expect(html).toContain(`Join ${slug}`)
    await expect(signUp(token, `n${randomText(6)}`, 'other@example.org')).rejects.toEqual(code('forbidden'))
    const username = `n${randomText(6)}`
    await signUp(token, username, email)
    const members = await admin.teams.members({ team: slug })
    expect(members.at(-1)).toMatchObject({ username, role: 'member' })
    await expect(signUp(token, `n${randomText(6)}`, email)).rejects.toEqual(code('not_found'))
  })

  test('C-5, C17: an account is invited by name, sees it, joins, and new work moves with a way back', async () => {
    const { admin, slug, outsider } = await app.aTeam()
    await admin.teams.invite({ team: slug, username: outsider.username })
    const [open] = await outsider.me.invitations()
    expect(open).toMatchObject({ team: slug, invitedBy: { username: admin.username } })
    expect((await linkTo(outsider.email)).text).toContain('Sign in with your account')
    await outsider.me.acceptInvitation({ invitationId: open!.id })
    const moved = await outsider.me.get()
    expect(moved).toMatchObject({
      defaultTeam: slug,
      defaultTeamSwitch: { from: outsider.username, to: slug },
    })
    const undone = await outsider.me.change({ defaultTeam: outsider.username })
    expect(undone).toMatchObject({ defaultTeam: outsider.username, defaultTeamSwitch: null })
    expect(await outsider.me.invitations()).toEqual([])
  })

  test('an invitation is refused to who is signed in as somebody else, and says for whom it is', async () => {
    const { admin, slug, outsider, removed } = await app.aTeam()
    const { url } = await admin.teams.invite({ team: slug, username: outsider.username })
    const token = url.split('/').at(-1)!
    expect(await removed.invitations.get({ token })).toMatchObject({
      username: outsider.username,
      fits: false,
    })
    expect((await outsider.invitations.get({ token })).fits).toBe(true)
    expect((await app.clientWith({}).invitations.get({ token })).fits).toBe(null)
    await expect(removed.invitations.accept({ token })).rejects.toMatchObject({
      code: 'forbidden',
      message: `This invitation is for ${outsider.username}, and you are ${removed.username}`,
    })
    await expect(signUp(token, `n${randomText(6)}`, 'n@example.org')).rejects.toEqual(code('forbidden'))
    await outsider.invitations.accept({ token })
  })

  test('sent again it has a new link and the old one ends; revoked or declined none works', async () => {
    const { admin, slug, outsider } = await app.aTeam()
    const first = await admin.teams.invite({ team: slug, username: outsider.username })
    const second = await admin.teams.resendInvitation({ team: slug, invitationId: first.id })
    const get = (url: string) => outsider.invitations.get({ token: url.split('/').at(-1)! })
    await expect(get(first.url)).rejects.toEqual(code('not_found'))
    expect(await get(second.url)).toMatchObject({ team: slug })
    await outsider.me.declineInvitation({ invitationId: first.id })
    await expect(get(second.url)).rejects.toEqual(code('not_found'))
    await expect(admin.teams.resendInvitation({ team: slug, invitationId: first.id })).rejects.toEqual(
      code('conflict'),
    )
  })

  test('nobody is invited twice, nor who is in, nor who does not exist', async () => {
    const { admin, slug, outsider, member } = await app.aTeam()
    await admin.teams.invite({ team: slug, username: outsider.username })
    for (const who of [
      { username: outsider.username },
      { email: outsider.email },
      { username: member.username },
    ])
      await expect(admin.teams.invite({ team: slug, ...who })).rejects.toEqual(code('conflict'))
    await expect(admin.teams.invite({ team: slug, username: 'nobody-here' })).rejects.toEqual(
      code('not_found'),
    )
    await expect(admin.teams.invite({ team: slug, username: 'x', email: 'x@example.org' })).rejects.toEqual(
      code('invalid'),
    )
  })
})

describe('leaving a team', () => {
  test('what stops, ends and stays is listed before; an admin can give it to somebody else after', async () => {
    const { admin, slug, member, mate } = await app.aTeam()
    const actor = await app.teams.actors.ofKey(member.key, { origin: app.origin, client: 'wandb' })
    await app.experiments.upsert(actor, { team: slug, project: 'digits', slug: 'one', name: 'one' })
    const listed = await admin.teams.removal({ team: slug, username: member.username })
    expect(listed.stops).toEqual([
      '1 running experiment can log no more and will be shown as crashed: digits/one.',
    ])
    expect(listed.ends[0]).toContain(`Access to ${slug} through 1 API key`)
    expect(listed.stays).toEqual([
      `1 experiment, 1 project stay in ${slug} under the name of ${member.username}, until an admin gives them to somebody else.`,
    ])
    expect((await member.teams.removal({ team: slug, username: member.username })).refused).toBe(null)
    const own = await admin.teams.removal({ team: slug, username: admin.username })
    expect(own.refused).toContain('is the last admin')
    await expect(mate.teams.removal({ team: slug, username: member.username })).rejects.toEqual(
      code('forbidden'),
    )

    await expect(
      admin.teams.reassign({ team: slug, username: member.username, to: mate.username }),
    ).rejects.toEqual(code('not_found'))
    await admin.teams.removeMember({ team: slug, username: member.username })
    const former = await admin.teams.formerMembers({ team: slug })
    expect(former.find((each) => each.username === member.username)).toMatchObject({
      experiments: 1,
      projects: 1,
    })
    const given = await admin.teams.reassign({ team: slug, username: member.username, to: mate.username })
    expect(given).toEqual({ experiments: 1, projects: 1 })
    const ref = { team: slug, project: 'digits', experiment: 'one' }
    expect((await admin.experiments.get(ref)).createdBy.username).toBe(mate.username)
    const found = await admin.experiments.query({
      team: slug,
      project: 'digits',
      filters: [{ column: 'creator', op: 'eq', value: mate.username }] as never,
    })
    expect(found.total).toBe(1)
  })
})

describe('service accounts', () => {
  test('a key is rotated in one step: the old one ends, the new one works', async () => {
    const { admin, slug, service } = await app.aTeam()
    const [old] = await admin.teams.serviceKeys({ team: slug, username: service.username })
    const fresh = await admin.teams.rotateServiceKey({
      team: slug,
      username: service.username,
      keyId: old!.id,
    })
    expect(fresh.name).toBe(old!.name)
    await expect(service.me.get()).rejects.toEqual(code('unauthenticated'))
    const renewed = app.clientWith({ authorization: `Bearer ${fresh.secret}` })
    expect((await renewed.me.get()).user.username).toBe(service.username)
  })

  test('C-2: it works for a member, shown as via it; for nobody known it is its own; for who left it is refused', async () => {
    const { slug, service, member, removed, outsider } = await app.aTeam()
    const upsert = async (username: string, name: string) => {
      const actor = await app.teams.actors.ofKey(service.key, {
        origin: app.origin,
        client: 'wandb',
        username,
      })
      await app.experiments.upsert(actor, { team: slug, project: 'digits', slug: name })
      const { createdBy, via } = await member.experiments.get({
        team: slug,
        project: 'digits',
        experiment: name,
      })
      return [createdBy.username, via?.username ?? null]
    }
    expect(await upsert(member.username, 'for-member')).toEqual([member.username, service.username])
    // Whether such a person exists elsewhere is not told.
    expect(await upsert('nobody-here', 'for-nobody')).toEqual([service.username, null])
    const { items } = await member.experiments.alerts({ team: slug, limit: 10 })
    expect(items).toMatchObject([
      { level: 'warn', title: 'nobody-here is nobody in this team', experiment: { slug: 'for-nobody' } },
    ])
    expect(await upsert(outsider.username, 'for-outsider')).toEqual([service.username, null])
    await expect(upsert(removed.username, 'for-removed')).rejects.toEqual(code('forbidden'))
  })
})

describe('the organisation', () => {
  test('what it locks holds in every team at once, and a team admin is told so', async () => {
    const { admin, slug, member, mate } = await app.aTeam()
    const olga = await app.aPerson({ admin: true })
    const actor = await app.teams.actors.ofKey(member.key, { origin: app.origin, client: 'wandb' })
    await app.experiments.upsert(actor, { team: slug, project: 'digits', slug: 'one' })
    const stop = () => mate.experiments.stop({ team: slug, project: 'digits', experiment: 'one' })
    await expect(admin.organisation.setLocks({ locks: {} })).rejects.toEqual(code('forbidden'))
    await olga.organisation.setLocks({ locks: { members_stop_runs: false } })
    await expect(stop()).rejects.toMatchObject({
      code: 'policy_denied',
      details: { policy: 'members_stop_runs', owner: member.username, admins: [admin.username] },
    })
    await expect(
      admin.teams.setPolicy({ team: slug, overrides: { members_stop_runs: true } }),
    ).rejects.toMatchObject({
      code: 'policy_denied',
      message:
        'Warning: policy "members_stop_runs" is locked by your organisation. Ask an organisation admin.',
    })
    expect((await admin.teams.get({ team: slug })).policy).toMatchObject({
      locked: ['members_stop_runs'],
      switches: { members_stop_runs: false },
    })
    await olga.organisation.setLocks({ locks: {} })
    await stop()
  })

  test('2: team admins make teams once the organisation lets them', async () => {
    const { admin, member } = await app.aTeam()
    const olga = await app.aPerson({ admin: true })
    await expect(admin.teams.create({ slug: slugOf() })).rejects.toMatchObject({
      code: 'policy_denied',
      details: { policy: 'team_admin_creates_teams' },
    })
    await olga.organisation.setLocks({ locks: { team_admin_creates_teams: true } })
    expect((await admin.teams.create({ slug: slugOf() })).role).toBe('admin')
    await expect(member.teams.create({ slug: slugOf() })).rejects.toEqual(code('forbidden'))
    await olga.organisation.setLocks({ locks: {} })
  })

  test('its admins’ looks into a team they are not in are written down, until it closes them', async () => {
    const { admin, slug, member } = await app.aTeam()
    const olga = await app.aPerson({ admin: true })
    const actor = await app.teams.actors.ofKey(member.key, { origin: app.origin, client: 'wandb' })
    await app.experiments.upsert(actor, { team: slug, project: 'digits', slug: 'one', name: 'one' })
    const ref = { team: slug, project: 'digits', experiment: 'one' }
    const look = () => olga.experiments.get(ref)
    await look()
    await look()
    await admin.experiments.get(ref)
    const { items } = await admin.teams.activity({ team: slug, limit: 50 })
    const looks = items.filter((each) => each.action === 'org:look')
    expect(looks).toMatchObject([{ actor: { username: olga.username }, details: { name: 'one' } }])
    await olga.organisation.setLocks({ locks: { org_admin_sees_content: false } })
    await expect(look()).rejects.toEqual(code('not_found'))
    const listed = await olga.experiments.status({ scope: 'global', show: 'active', limit: 100 })
    expect(listed.items.filter((row) => row.team === slug)).toEqual([])
    await olga.organisation.setLocks({ locks: {} })
  })

  test('C-4: who may not make teams asks for one; an admin grants it and they are its admin', async () => {
    const olga = await app.aPerson({ admin: true })
    const zoe = await app.aPerson()
    const slug = slugOf()
    await expect(olga.organisation.requestTeam({ slug })).rejects.toEqual(code('invalid'))
    const asked = await zoe.organisation.requestTeam({ slug, reason: 'Speech' })
    await app.mailer.step()
    expect(mail.mails.findLast((each) => each.to.includes(olga.email))).toMatchObject({
      subject: `${zoe.username} asks for team ${slug}`,
    })
    await expect(zoe.organisation.requestTeam({ slug })).rejects.toEqual(code('conflict'))
    await expect(zoe.organisation.grantTeam({ requestId: asked.id })).rejects.toEqual(code('forbidden'))
    expect(await olga.organisation.teamRequests()).toContainEqual(
      expect.objectContaining({ id: asked.id, reason: 'Speech', state: 'open' }),
    )
    await olga.organisation.grantTeam({ requestId: asked.id })
    expect((await zoe.teams.get({ team: slug })).role).toBe('admin')
    expect(await zoe.organisation.teamRequests()).toMatchObject([{ id: asked.id, state: 'granted' }])
    await expect(olga.organisation.declineTeam({ requestId: asked.id })).rejects.toEqual(code('conflict'))
    const other = await zoe.organisation.requestTeam({ slug: slugOf() })
    await zoe.organisation.declineTeam({ requestId: other.id })
  })

  test('C-6, C-11: plan, trial, seats and billing user change without any payment', async () => {
    const olga = await app.aPerson({ admin: true })
    const { admin, slug, outsider, member } = await app.aTeam()
    const changed = await olga.organisation.changePlan({
      name: 'Team trial',
      trialEndsAt: '2999-01-01T00:00:00Z',
      billingUser: member.username,
      contactUrl: 'mailto:sales@example.org',
    })
    expect(changed).toMatchObject({
      name: 'Team trial',
      trial: { state: 'running' },
      billingUser: { username: member.username },
    })
    await member.organisation.changeBilling({ company: 'Example', address: 'Here 1' })
    expect((await member.organisation.plan()).billing).toEqual({ company: 'Example', address: 'Here 1' })
    expect((await admin.organisation.plan()).billing).toBe(null)
    await expect(member.organisation.changePlan({ seats: 1 })).rejects.toEqual(code('forbidden'))
    await expect(admin.organisation.changeBilling({ company: 'Mine' })).rejects.toEqual(code('forbidden'))

    // No more people may work; those who look on need no seat.
    const { seats } = await olga.organisation.changePlan({ seats: 1 })
    expect(seats.used).toBeGreaterThan(1)
    const fresh = `n${randomText(6)}`
    const invited = (role: 'member' | 'viewer') =>
      admin.teams.invite({ team: slug, role }).then(({ url }) => url.split('/').at(-1)!)
    await expect(signUp(await invited('member'), fresh, `${fresh}@example.org`)).rejects.toMatchObject({
      code: 'conflict',
      message: 'All 1 seats of the organisation are in use',
    })
    await signUp(await invited('viewer'), fresh, `${fresh}@example.org`)
    await expect(admin.teams.changeMember({ team: slug, username: fresh, role: 'member' })).rejects.toEqual(
      code('conflict'),
    )
    // Who has a seat keeps it wherever they go.
    await outsider.invitations.accept({ token: await invited('member') })
    await olga.organisation.changePlan({ seats: null, trialEndsAt: null, billingUser: null })
    await admin.teams.changeMember({ team: slug, username: fresh, role: 'member' })
  })
})

describe('who sees what', () => {
  test('C-7: a private project is its maker’s and the admins’ alone, in every list and by every door', async () => {
    const { admin, slug, member, mate, viewer } = await app.aTeam()
    const actor = await app.teams.actors.ofKey(member.key, { origin: app.origin, client: 'wandb' })
    const { experiment } = await app.experiments.upsert(actor, {
      team: slug,
      project: 'secret',
      slug: 'one',
      name: 'one',
    })
    await expect(
      member.teams.setPrivacy({ team: slug, project: { name: 'secret', visibility: 'private' } }),
    ).rejects.toEqual(code('forbidden'))
    await admin.teams.setPrivacy({ team: slug, project: { name: 'secret', visibility: 'private' } })
    const ref = { team: slug, project: 'secret', experiment: 'one' }
    for (const person of [mate, viewer]) {
      expect(await person.projects.list({ team: slug })).toEqual([])
      expect((await person.teams.privacy({ team: slug })).projects).toEqual([])
      const { items } = await person.experiments.status({ scope: 'global', show: 'active', limit: 100 })
      expect(items).toEqual([])
      for (const act of [
        () => person.projects.get({ team: slug, project: 'secret' }),
        () => person.experiments.get(ref),
        () => person.experiments.query({ team: slug, project: 'secret' }),
        () => person.experiments.curves({ experimentIds: [experiment.id], keys: ['loss'] }),
        () => person.experiments.stop(ref),
        () => person.experiments.resolve({ ref: `${slug}/secret/one` }),
        () => person.teams.why({ team: slug, person: member.username, project: 'secret' }),
      ])
        await expect(act()).rejects.toEqual(code('not_found'))
    }
    const mates = await app.teams.actors.ofKey(mate.key, { origin: app.origin, client: 'wandb' })
    await expect(
      app.experiments.upsert(mates, { team: slug, project: 'secret', slug: 'two' }),
    ).rejects.toEqual(code('not_found'))
    for (const person of [member, admin]) {
      expect((await person.experiments.get(ref)).name).toBe('one')
      expect(await person.projects.list({ team: slug })).toMatchObject([{ visibility: 'private' }])
    }
  })

  test('new projects are what the team’s setting says', async () => {
    const { admin, slug, member, mate } = await app.aTeam()
    await admin.teams.setPrivacy({ team: slug, newProjects: 'private' })
    await member.projects.create({ team: slug, name: 'quiet' })
    await expect(mate.projects.get({ team: slug, project: 'quiet' })).rejects.toEqual(code('not_found'))
  })

  test('why somebody sees something is one sentence, which tells nothing of people elsewhere', async () => {
    const { admin, slug, member, mate, viewer, service, outsider } = await app.aTeam()
    const olga = await app.aPerson({ admin: true })
    const actor = await app.teams.actors.ofKey(service.key, {
      origin: app.origin,
      client: 'wandb',
      username: member.username,
    })
    await app.experiments.upsert(actor, { team: slug, project: 'digits', slug: 'one', name: 'one' })
    const ask = async (person: string, thing: { project?: string; experiment?: string } = {}) =>
      (await mate.teams.why({ team: slug, person, ...thing })).sentence
    const one = { project: 'digits', experiment: 'one' }
    expect(await ask(member.username, one)).toBe(
      `${member.username} can see experiment one, because they made it (via ${service.username}) and are a member of team ${slug}.`,
    )
    expect(await ask(service.username, one)).toContain(`it made it for ${member.username}`)
    expect(await ask(mate.username, one)).toContain('everybody in a team sees what is not private in it')
    expect(await ask(viewer.username, one)).toContain('a view-only member')
    expect(await ask(admin.username, one)).toContain('admins see everything in it')
    expect(await ask(mate.username)).toBe(
      `${mate.username} can see team ${slug}, because they are a member of team ${slug}.`,
    )
    expect(await ask(olga.username, one)).toContain('each look is written to the audit log')
    // Somebody elsewhere and nobody at all are told apart by nothing but their names.
    expect(await ask(outsider.username, one)).toBe(
      (await ask('nobody-here', one)).replace('nobody-here', outsider.username),
    )
    await admin.teams.setPrivacy({ team: slug, project: { name: 'digits', visibility: 'private' } })
    const hidden = await admin.teams.why({ team: slug, person: mate.username, ...one })
    expect(hidden).toMatchObject({ sees: false })
    expect(hidden.sentence).toContain('it is private to')
    await expect(outsider.teams.why({ team: slug, person: mate.username })).rejects.toEqual(code('not_found'))
  })
})
