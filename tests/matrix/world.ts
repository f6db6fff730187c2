/**
 * One team with somebody in each column of the permission table, and things of theirs to act on. `S own` is the service
 * account acting on what it made, where the table says `own`.
 */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Action,
  can,
  codeOf,
  errorCodes,
  GridError,
  organisationActions,
  type PolicyPreset,
  resolvePolicy,
  type Resource,
  type Subject,
} from '@teamgrid/api'
import { runGrid } from '../../cli/src/program.ts'
import { memoryIo } from '../../cli/src/test-io.ts'
import type { Actor } from '../../server/src/actor.ts'
import { createSender } from '../../server/src/datastores/testing.ts'
import { randomText } from '../../server/src/lib/ids.ts'
import type { TestApp, TestPerson } from '../support/app.ts'

export const cast = ['O', 'M', 'V', 'S', 'S own', 'TA', 'OA', 'N'] as const
export type Cast = (typeof cast)[number]

/** `yes`: permission did not stop it. The others are how it was stopped. */
export type Outcome = 'yes' | 'forbidden' | 'policy_denied' | 'not_found' | 'unauthenticated'

export type Thing = { project: string; slug: string; name: string; id: string; owner: string }
export type World = Awaited<ReturnType<typeof aWorld>>

export async function aWorld(app: TestApp) {
  const team = `m${randomText(8)}`
  const [ada, bob, vera, grace, olga, sam] = await Promise.all([
    app.aPerson(),
    app.aPerson(),
    app.aPerson({ byCookie: true }),
    app.aPerson(),
    app.aPerson({ admin: true }),
    app.aPerson(),
  ])
  await app.operator.teams.create({ slug: team, admin: grace.username })
  for (const [person, role] of [
    [ada, 'member'],
    [bob, 'member'],
    [vera, 'viewer'],
  ] as const)
    await app.operator.teams.addMember({ team, username: person.username, role })
  const account = await grace.teams.createServiceAccount({ team, username: `s${randomText(8)}` })
  const robot = {
    ...app.clientWith({ authorization: `Bearer ${account.key.secret}` }),
    username: account.member.username,
    key: account.key.secret,
    cookie: '',
  } as TestPerson
  const people: Record<Cast, TestPerson> = {
    O: ada,
    M: bob,
    V: vera,
    S: robot,
    'S own': robot,
    TA: grace,
    OA: olga,
    N: sam,
  }
  const ids = Object.fromEntries(
    await Promise.all(cast.map(async (each) => [each, (await people[each].me.get()).user.id] as const)),
  ) as Record<Cast, string>

  async function aBareThing(owner: 'O' | 'S own'): Promise<Thing> {
    const slug = `e${randomText(8)}`
    // Each makes things in a project of their own making.
    const project = owner === 'O' ? 'digits' : 'robots'
    const { experiment } = await app.experiments.upsert(await actorOf(owner), {
      team,
      project,
      slug,
      name: slug,
    })
    return { project, slug, name: slug, id: experiment.id, owner: people[owner].username }
  }

  const actorOf = (owner: 'O' | 'S own') =>
    app.teams.actors.ofKey(people[owner].key, { origin: app.origin, client: 'wandb' })

  /** With a line of console and a file, so that there is something to read. */
  async function aThing(owner: 'O' | 'S own'): Promise<Thing> {
    const thing = await aBareThing(owner)
    const actor = await actorOf(owner)
    const ref = { team, project: thing.project, slug: thing.slug }
    await app.experiments.append(actor, ref, {
      history: { offset: 0, lines: ['{"_step":0,"loss":1}'] },
      console: { offset: 0, lines: [{ timeMs: null, level: 'info', label: '', text: 'hello' }] },
    })
    const [upload] = await app.experiments.uploadUrls(actor, ref, ['weights.bin'])
    await app.inject(new Request(upload!.url, { method: 'PUT', body: 'weights' }))
    return thing
  }

  const things = { O: await aThing('O'), 'S own': await aThing('S own') }
  const spares = new Map<string, Thing>()

  /** What else there is of theirs: a sweep, a report, a datastore, an artifact. None of it goes away by being acted on. */
  async function moreOf(owner: 'O' | 'S own') {
    const person = people[owner]
    const actor = await actorOf(owner)
    const { project, slug } = things[owner]
    const { sweep } = await app.sweeps.create(actor, {
      team,
      project,
      configText: '{method: grid, parameters: {a: {value: 1}}}',
    })
    const { id: reportId } = await person.reports.create({ team, project, title: 'Findings', publish: true })
    const { datastoreId } = await createSender(app).send(person, team, `d${randomText(8)}`, { a: 'b' })
    const collection = `c${randomText(8)}`
    await anArtifact(app, actor, { team, project, experiment: slug, collection })
    return { sweep: sweep.slug, reportId, datastoreId, collection }
  }
  const more = { O: await moreOf('O'), 'S own': await moreOf('S own') }

  /** Whose thing somebody in this column acts on. */
  const ownerFor = (column: Cast): 'O' | 'S own' => (column === 'S own' ? 'S own' : 'O')

  return {
    app,
    team,
    people,
    ids,
    thing: (column: Cast): Thing => things[ownerFor(column)],
    more: (column: Cast) => more[ownerFor(column)],
    /** One that may be gone afterwards. */
    async aSpareSweep(column: Cast): Promise<string> {
      const owner = ownerFor(column)
      const { project } = things[owner]
      const configText = '{method: grid, parameters: {a: {value: 1}}}'
      return (await app.sweeps.create(await actorOf(owner), { team, project, configText })).sweep.slug
    },
    /** Marks an experiment as one that was moved to where it is. */
    moved: (id: string) =>
      app.db.updateTable('experiments').set({ moved_at: new Date() }).where('id', '=', id).execute(),
    /** For acts that take the thing away: it is made anew once that happened. */
    async consume(
      column: Cast,
      act: (thing: Thing) => Promise<Outcome>,
      kind: 'made here' | 'moved here' = 'made here',
    ): Promise<Outcome> {
      const owner = ownerFor(column)
      const spare = spares.get(owner + kind) ?? (await aBareThing(owner))
      spares.set(owner + kind, spare)
      const outcome = await act(spare)
      if (outcome === 'yes') spares.delete(owner + kind)
      return outcome
    },
    async choose(preset: PolicyPreset): Promise<void> {
      await grace.teams.setPolicy({ team, preset, overrides: {} })
    },
    /** What the table says, under the preset, through one of our doors. */
    expected(column: Cast, action: Action, preset: PolicyPreset, via: Subject['via']): Outcome {
      const isKey = column !== 'V'
      const role = roles[column]
      const subject: Subject = {
        userId: ids[column],
        role: organisationActions.has(action) && role !== 'admin' ? null : role,
        orgRole: column.startsWith('S') ? null : column === 'OA' ? 'admin' : 'member',
        ...(via === undefined ? {} : { via }),
        ...(isKey ? { keyScope: 'user' as const } : {}),
      }
      const resource: Resource = {
        teamId: organisationActions.has(action) ? null : 'team',
        // Everybody makes datastores in their own name space.
        ownerId: ids[action === 'datastore:create' ? column : ownerFor(column)],
      }
      const verdict = can(subject, action, resource, resolvePolicy(preset))
      return verdict.allowed ? 'yes' : (codeOf(verdict) as Outcome)
    },
    /** `grid` inside this process, as somebody. */
    async grid(column: Cast, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
      const home = join(tmpdir(), `grid-matrix-${randomText(8)}`)
      const io = memoryIo({
        home,
        cwd: home,
        env: { GRID_URL: app.origin, GRID_API_KEY: people[column].key, GRID_CONFIG_DIR: home },
        fetch: (request, init) => app.inject(new Request(request, init)),
      })
      const code = await runGrid(io, argv)
      await rm(home, { recursive: true, force: true })
      return { code, out: io.out(), err: io.err() }
    },
  }
}

/** A first version with no files, called `latest` as all first ones. */
async function anArtifact(
  app: TestApp,
  actor: Actor,
  at: { team: string; project: string; experiment: string; collection: string },
): Promise<void> {
  const manifest = '{"version":1,"contents":{}}'
  const { id } = await app.artifacts.createArtifact(actor, {
    ...at,
    type: 'dataset',
    digest: 'any',
    aliases: ['latest'],
  })
  const { uploadUrl } = await app.artifacts.createManifest(actor, {
    artifactId: id,
    baseArtifactId: null,
    name: 'wandb_manifest.json',
    type: 'FULL',
    digest: createHash('md5').update(manifest).digest('base64'),
  })
  await app.inject(new Request(uploadUrl!, { method: 'PUT', body: manifest }))
  await app.artifacts.commitArtifact(actor, id)
}

const roles: Record<Cast, Subject['role']> = {
  O: 'member',
  M: 'member',
  V: 'viewer',
  S: 'service',
  'S own': 'service',
  TA: 'admin',
  OA: null,
  N: null,
}

const refusals = new Set<string>(['forbidden', 'policy_denied'])

/**
 * What became of an act: a refusal of the table has its sentence; other trouble (nothing of that name, a conflict) comes
 * after permission.
 */
export function outcomeOf(code: string, message: string): Outcome {
  if (code === 'unauthenticated') return 'unauthenticated'
  if (refusals.has(code) && message.startsWith('Warning: ')) return code as Outcome
  if (code === 'not_found' && message.replace(/\.$/, '') === errorCodes.not_found.says) return 'not_found'
  if (code === 'not_found' && message.startsWith('There is no project ')) return 'not_found'
  if (['forbidden', 'not_found', 'conflict', 'invalid'].includes(code)) return 'yes'
  throw new Error(`Neither done nor refused: ${code} ${message}`)
}

export async function tried(act: () => Promise<unknown>): Promise<Outcome> {
  try {
    const result = await act()
    return result === 'not_found' || result === 'policy_denied' ? result : 'yes'
  } catch (error) {
    if (error instanceof GridError) return outcomeOf(error.code, error.message)
    throw error
  }
}
