import { GridError } from '@teamgrid/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp, type TestPerson } from '../../../tests/support/app.ts'
import { newId } from '../lib/ids.ts'
import type { Pinning } from './service.ts'
import { createSender, packOf, sha256 } from './testing.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let send: ReturnType<typeof createSender>['send']

beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
  ;({ send } = createSender(app))
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

let names = 0
const aName = () => `cats-${(names += 1)}`
const actorOf = (person: Pick<TestPerson, 'key'>) =>
  app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'cli' })

async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof GridError ? `${error.code}: ${error.message}` : String(error)
}

/** As a run or session of `person` that mounts what `ref` means. */
async function mount(
  person: Pick<TestPerson, 'key'>,
  ref: string,
  label: string,
  more: Partial<Pinning> = {},
): Promise<Pinning> {
  const actor = await actorOf(person)
  const mountable = await app.datastores.mountable(actor, ref, 'datastore:use', { team: team.slug })
  const teamId = [...actor.memberships].find(([, { slug }]) => slug === team.slug)![0]
  const by = { kind: 'run' as const, id: newId(), label, teamId, ownerId: actor.userId!, ...more }
  await app.db.transaction().execute((trx) => app.datastores.pin(trx, mountable, by))
  return by
}
const unmount = (by: Pinning) => app.db.transaction().execute((trx) => app.datastores.unpin(trx, by))
async function bytesOf(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('only those who may use it get it mounted', async () => {
  const name = aName()
  await send(team.member, team.slug, name, { a: 'a' })
  await send(team.member, team.slug, name, { a: 'b' })
  const of = async (person: Pick<TestPerson, 'key'>, ref: string, version?: number) =>
    app.datastores.mountable(await actorOf(person), ref, 'datastore:mount', { team: team.slug, version })
  const ref = `${team.member.username}:${name}`
  expect(await of(team.mate, ref)).toMatchObject({ name, number: 2 })
  expect(await of(team.mate, ref, 1)).toMatchObject({ number: 1 })
  expect(await of(team.mate, `${team.member.username}:/datastores/${name}`, 1)).toMatchObject({ number: 1 })
  expect(await refusal(of(team.mate, `${ref}:2`, 1))).toMatch(/^invalid: .*version 2.*version 1/)
  expect(await refusal(of(team.mate, `${ref}:9`))).toMatch(/^not_found: .*1, 2/)
  expect(await refusal(of(team.outsider, ref))).toMatch(/^not_found/)
})

test('a version that is in use is not deleted, and the refusal says by what', async () => {
  const name = aName()
  const { datastoreId } = await send(team.member, team.slug, name, { a: 'a' })
  const version = { datastoreId, version: 1 }
  const run = await mount(team.mate, `${team.member.username}:${name}:1`, 'brave-lynx-101')
  const told = await refusal(team.member.datastores.delete(version))
  expect(told).toBe(`conflict: Version 1 of ${name} is in use by run brave-lynx-101 of ${team.mate.username}`)
  await unmount(run)
  await unmount(run)
  await team.member.datastores.delete(version)
  const again = mount(team.mate, `${team.member.username}:${name}:1`, 'late')
  expect(await refusal(again)).toMatch(/^not_found/)
})

test('of two that come at once, one deletes and one mounts, never both', async () => {
  const name = aName()
  const { datastoreId } = await send(team.member, team.slug, name, { a: 'a' })
  const [deleted, mounted] = await Promise.all([
    refusal(team.member.datastores.delete({ datastoreId, version: 1 })),
    refusal(mount(team.member, name, 'racer')),
  ])
  expect([deleted, mounted].filter((each) => each === 'undefined')).toHaveLength(1)
})

test('both ways: what uses a datastore, and what a run uses', async () => {
  const name = aName()
  const { datastoreId } = await send(team.member, team.slug, name, { a: 'a' })
  const run = await mount(team.mate, `${team.member.username}:${name}`, 'calm-owl-7')
  const secret = await mount(team.mate, `${team.member.username}:${name}`, 'secret', { isPrivate: true })
  const seen = await team.member.datastores.uses({ datastoreId })
  expect(seen).toMatchObject({
    items: [{ kind: 'run', id: run.id, label: 'calm-owl-7', version: 1, endedAt: null }],
    hidden: 1,
  })
  expect((await team.admin.datastores.uses({ datastoreId })).items).toHaveLength(2)
  expect(await refusal(team.member.datastores.delete({ datastoreId, version: 1 }))).toMatch(
    /calm-owl-7 of [^,]+, 1 more$/,
  )
  await unmount(run)
  expect((await team.viewer.datastores.uses({ datastoreId })).items[0]!.endedAt).not.toBeNull()
  expect((await team.viewer.datastores.usedBy({ kind: 'run', id: run.id })).items).toMatchObject([
    { datastore: { id: datastoreId, name, owner: team.member.username }, version: 1 },
  ])
  expect(await team.member.datastores.usedBy({ kind: 'run', id: secret.id })).toEqual({
    items: [],
    hidden: 0,
  })
  expect(await team.outsider.datastores.usedBy({ kind: 'run', id: run.id })).toEqual({ items: [], hidden: 0 })
})

test('what is pinned may be read in its name, and nothing else', async () => {
  const name = aName()
  const { datastoreId } = await send(team.member, team.slug, name, { a: 'pinned bytes' })
  await send(team.member, team.slug, name, { a: 'other bytes' })
  const run = await mount(team.member, `${name}:1`, 'reader')
  const digests = [sha256('pinned bytes')]
  const pack = await app.datastores.pinnedPack(run, datastoreId, 1, digests)
  expect((await bytesOf(pack)).equals(packOf(['pinned bytes']))).toBe(true)
  expect((await bytesOf(await app.datastores.pinnedManifest(run, datastoreId, 1))).length).toBeGreaterThan(0)
  const other = [sha256('other bytes')]
  expect(await refusal(app.datastores.pinnedPack(run, datastoreId, 1, other))).toMatch(/^not_found/)
  expect(await refusal(app.datastores.pinnedManifest(run, datastoreId, 2))).toMatch(/^not_found/)
  await unmount(run)
  expect(await refusal(app.datastores.pinnedPack(run, datastoreId, 1, digests))).toMatch(/^not_found/)
})
