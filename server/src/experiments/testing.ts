/** This slice over real stores, for its own tests: a Postgres database, chDB, a folder of blobs, people and teams. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LiveMessage, TeamRole } from '@teamgrid/api'
import { createAccess } from '../access.ts'
import type { Actor, Membership } from '../actor.ts'
import { createDeeds } from '../activity.ts'
import { createEvents } from '../events.ts'
import { newId, randomText } from '../lib/ids.ts'
import { createSignedUrls } from '../lib/signed.ts'
import { openFsBlobStore } from '../stores/blob/fs.ts'
import { createMetricStore } from '../stores/clickhouse/metric-store.ts'
import type { MetricStore } from '../stores/clickhouse/metric-types.ts'
import { openClickHouse } from '../stores/clickhouse/open.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { testDatabase } from '../stores/postgres/testing.ts'
import { noMail } from '../teams/mail.ts'
import { createTeams } from '../teams/service.ts'
import { createExperiments } from './service.ts'
import type { ExperimentRef } from './types.ts'

export type Bench = Awaited<ReturnType<typeof openBench>>

const origin = 'http://teamgrid.test'

/** Call once per test file, and `close` at its end. */
export async function openBench() {
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-experiments-'))
  const { db, close } = await testDatabase<Database>()
  const clickhouse = await openClickHouse({ url: null, path: join(folder, 'metrics') })
  const stored = createMetricStore(clickhouse)
  /** Set to make the metric store fail as it does when it is away. */
  const trouble: { append: Error | undefined } = { append: undefined }
  const metrics: MetricStore = {
    ...stored,
    append: async (batch) => {
      if (trouble.append) throw trouble.append
      await stored.append(batch)
    },
  }
  const blobs = await openFsBlobStore(join(folder, 'blobs'))
  const time = { now: Date.parse('2026-11-22T10:00:00Z') }
  const clock = { now: () => new Date(time.now) }
  const events = createEvents()
  const heard: LiveMessage[] = []
  events.subscribe((event) => heard.push(event))
  const access = createAccess({ db })
  const signed = createSignedUrls({ secret: 'a secret for tests', clock })
  const deeds = createDeeds()
  const teams = createTeams({
    db,
    access,
    identity: undefined as never,
    ssoSettings: undefined as never,
    events,
    deeds,
    clock,
    mail: noMail,
  })
  const deps = { db, access, teams, metrics, blobs, signed, events, deeds, clock }
  const experiments = createExperiments(deps)

  async function aUser(kind: 'person' | 'service' = 'person') {
    const user = { id: newId(), username: `u${randomText(10)}` }
    await db
      .insertInto('users')
      .values({ ...user, name: `Name of ${user.username}`, email: `${user.username}@example.org`, kind })
      .execute()
    return user
  }

  /** A team with somebody in each role, each with an actor; `stranger` is in none. */
  async function aTeam() {
    const team = { id: newId(), slug: `T${randomText(10)}` }
    await db
      .insertInto('teams')
      .values({ ...team, name: team.slug })
      .execute()
    const join = async (role: TeamRole): Promise<Actor> => {
      const user = await aUser(role === 'service' ? 'service' : 'person')
      await db.insertInto('memberships').values({ team_id: team.id, user_id: user.id, role }).execute()
      return actorOf(
        user,
        role === 'service' ? 'service' : 'person',
        new Map([[team.id, { role, slug: team.slug, kind: 'team' }]]),
      )
    }
    return {
      ...team,
      admin: await join('admin'),
      member: await join('member'),
      mate: await join('member'),
      viewer: await join('viewer'),
      service: await join('service'),
      stranger: actorOf(await aUser(), 'person', new Map()),
    }
  }

  /** An experiment that runs, and how to name it; younger than all before it. */
  async function anExperiment(actor: Actor, given: Parameters<typeof experiments.upsert>[1] = {}) {
    time.now++
    const { experiment } = await experiments.upsert(actor, { project: 'digits', ...given })
    const ref: ExperimentRef = {
      team: experiment.teamSlug,
      project: experiment.projectName,
      slug: experiment.slug,
    }
    return { ...experiment, ref }
  }

  return {
    ...deps,
    experiments,
    /** The same slice in another process. */
    restarted: () => createExperiments(deps),
    trouble,
    time,
    heard,
    aTeam,
    aUser,
    anExperiment,
    async close() {
      await metrics.close()
      await blobs.close()
      await close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function actorOf(
  user: { id: string; username: string },
  kind: 'person' | 'service',
  memberships: Map<string, Membership>,
): Actor {
  // Viewers have no key.
  const isViewer = [...memberships.values()].some(({ role }) => role === 'viewer')
  return {
    kind,
    userId: user.id,
    username: user.username,
    name: `Name of ${user.username}`,
    organisationRole: 'member',
    memberships,
    defaultTeamId: [...memberships.keys()][0] ?? null,
    via: isViewer ? 'cookie' : 'key:test',
    address: null,
    client: isViewer ? 'web' : 'wandb',
    scope: 'user',
    attributedTo: null,
    origin,
  }
}
