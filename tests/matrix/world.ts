/**
 * One team with somebody in each column of the permission table, and things of theirs to act on. `S own` is the service
 * account acting on what it made, where the table says `own`.
 */
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
    const project = 'digits'
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

  /** Whose thing somebody in this column acts on. */
  const ownerFor = (column: Cast): 'O' | 'S own' => (column === 'S own' ? 'S own' : 'O')

  return {
    app,
    team,
    people,
    ids,
    thing: (column: Cast): Thing => things[ownerFor(column)],
    /** For acts that take the thing away: it is made anew once that happened. */
    async consume(column: Cast, act: (thing: Thing) => Promise<Outcome>): Promise<Outcome> {
      const owner = ownerFor(column)
      const spare = spares.get(owner) ?? (await aBareThing(owner))
      spares.set(owner, spare)
      const outcome = await act(spare)
      if (outcome === 'yes') spares.delete(owner)
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
        ownerId: ids[ownerFor(column)],
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
