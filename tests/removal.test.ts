/** Removing a member ends every way in, at once, and leaves what they made. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from './support/app.ts'

let app: TestApp
let address: string
beforeAll(async () => {
  app = await startApp()
  // A live stream needs a connection of its own; the rest goes without.
  address = await app.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

test('key, cookie, link and live stream of a removed member end; their experiments stay', async () => {
  const team = await app.aTeam()
  const ref = { team: team.slug, project: 'vision', experiment: 'mine' }
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  await app.experiments.upsert(actor, { team: team.slug, project: 'vision', slug: 'mine' })
  const [upload] = await app.experiments.uploadUrls(actor, { ...ref, slug: 'mine' }, ['weights.bin'])
  await app.inject(new Request(upload!.url, { method: 'PUT', body: 'some weights' }))
  const [file] = await team.member.experiments.files(ref)
  const cookie = await app.signIn(team.member.email, team.member.password)
  const browser = app.clientWith({ cookie, origin: app.origin })
  const link = () => app.inject(new Request(file!.url))
  expect(await (await link()).text()).toBe('some weights')
  expect((await browser.experiments.get(ref)).slug).toBe('mine')
  const stream = await listen(`Bearer ${team.member.key}`)
  await change('before')
  await expect.poll(() => stream.heard().includes('experiment.changed')).toBe(true)

  await team.admin.teams.removeMember({ team: team.slug, username: team.member.username })

  await expect(team.member.experiments.get(ref)).rejects.toMatchObject({ code: 'not_found' })
  await expect(browser.experiments.get(ref)).rejects.toMatchObject({ code: 'not_found' })
  expect((await link()).status).toBe(404)
  const resent = await app.inject(new Request(upload!.url, { method: 'PUT', body: 'other weights' }))
  expect(resent.status).toBe(404)
  const before = stream.heard().length
  await change('after')
  // Another listener proves that the change was told to those who may hear it.
  await expect.poll(() => control.heard().includes('experiment.changed')).toBe(true)
  expect(stream.heard().slice(before)).not.toContain('experiment.changed')

  const [kept] = (await team.admin.experiments.query({ team: team.slug, project: 'vision' })).rows
  expect(kept).toMatchObject({ slug: 'mine', createdBy: { username: team.member.username } })
  await stream.end()
  await control.end()

  async function change(notes: string): Promise<void> {
    if (notes === 'after') control = await listen(`Bearer ${team.admin.key}`)
    await team.admin.experiments.change({ ...ref, notes })
  }
})

test('once a project is private, links made before and live messages end for those who may not see it', async () => {
  const team = await app.aTeam()
  const ref = { team: team.slug, project: 'vision', experiment: 'mine' }
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  const { experiment } = await app.experiments.upsert(actor, {
    team: team.slug,
    project: 'vision',
    slug: 'mine',
  })
  const [upload] = await app.experiments.uploadUrls(actor, { ...ref, slug: 'mine' }, ['weights.bin'])
  await app.inject(new Request(upload!.url, { method: 'PUT', body: 'some weights' }))
  const linkOf = async (person: (typeof team)['mate']) => (await person.experiments.files(ref))[0]!.url
  const links = {
    mate: await linkOf(team.mate),
    member: await linkOf(team.member),
    admin: await linkOf(team.admin),
  }
  const statusOf = async (url: string) => (await app.inject(new Request(url))).status
  expect(await Promise.all(Object.values(links).map(statusOf))).toEqual([200, 200, 200])

  const mates = await listen(`Bearer ${team.mate.key}`)
  const keepers = await listen(`Bearer ${team.member.key}`)
  await team.admin.teams.setPrivacy({ team: team.slug, project: { name: 'vision', visibility: 'private' } })
  expect(await Promise.all(Object.values(links).map(statusOf))).toEqual([404, 200, 200])
  await team.member.experiments.change({ ...ref, notes: 'quiet' })
  await team.member.projects.create({ team: team.slug, name: 'loud' })
  await expect.poll(() => keepers.heard().includes(experiment.id)).toBe(true)
  const loud = await team.member.projects.get({ team: team.slug, project: 'loud' })
  await expect.poll(() => mates.heard().includes(loud.id)).toBe(true)
  expect(mates.heard()).not.toContain(experiment.id)
  expect(mates.heard()).not.toContain(experiment.projectId)

  // A link to what has moved away from a team is no link of that team.
  await team.admin.teams.setPrivacy({ team: team.slug, project: { name: 'vision', visibility: 'team' } })
  expect(await statusOf(links.mate)).toBe(200)
  await app.experiments.append(actor, { ...ref, slug: 'mine' }, { complete: { exitCode: 0 } })
  await team.member.experiments.move({
    experimentIds: [experiment.id],
    to: { team: team.member.username, project: 'mine' },
  })
  expect([await statusOf(links.mate), await statusOf(links.member)]).toEqual([404, 200])
  await mates.end()
  await keepers.end()
})

let control: Awaited<ReturnType<typeof listen>>

/** A browser's live stream, and what it has heard. */
async function listen(authorization: string) {
  const controller = new AbortController()
  const answer = await fetch(`${address}/api/live`, { headers: { authorization }, signal: controller.signal })
  expect(answer.status).toBe(200)
  let text = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of answer.body!) text += decoder.decode(chunk, { stream: true })
  })().catch(() => undefined)
  return {
    heard: () => text,
    end: () => {
      controller.abort()
      return reading
    },
  }
}
