/** What people see of runs. */
import { GridError, type Run, type RunDetails, type RunExperiment } from '@teamgrid/api'
import { sql } from 'kysely'
import type { Actor } from '../actor.ts'
import type { Attempt } from '../compute/service.ts'
import { commandLine } from './command.ts'
import type { RunsDeps } from './service.ts'
import {
  type Db,
  experimentsOfRun,
  findRun,
  findRunById,
  runOfExperiment,
  selectRuns,
  type StoredRun,
} from './store.ts'

export type Reading = ReturnType<typeof createReading>

export function createReading({ db, access, teams, experiments, compute, sealed, clock }: RunsDeps) {
  const readable = (actor: Actor, team: string, name: string): Promise<StoredRun> =>
    access.allowed(actor, 'run:read', findRun(db, team, name))

  async function get(actor: Actor, team: string, name: string): Promise<RunDetails> {
    return await shown(await readable(actor, team, name))
  }

  async function list(
    actor: Actor,
    input: {
      team: string
      project?: string
      user?: string
      archived: boolean
      limit: number
      cursor?: string
    },
  ): Promise<{ items: Run[]; nextCursor: string | null }> {
    const team = await access.allowed(actor, 'run:read', teams.teamGuard(input.team))
    const found = await selectRuns(
      db,
      sql.join(
        [
          sql`r.team_id = ${team.id} and ${await access.visibleProjects(actor)}`,
          input.archived ? sql`r.archived_at is not null` : sql`r.archived_at is null`,
          ...(input.project ? [sql`lower(p.name) = lower(${input.project})`] : []),
          ...(input.user ? [sql`lower(c.username) = lower(${input.user})`] : []),
          ...(input.cursor ? [sql`r.id::text < ${input.cursor}`] : []),
        ],
        sql` and `,
      ),
      sql`order by r.id desc limit ${input.limit + 1}`,
    )
    const some = found.slice(0, input.limit)
    const names = await compute.clusters.names([...new Set(some.map((each) => each.clusterId))])
    return {
      items: some.map((each) => rowOf(each, names.get(each.clusterId) ?? '')),
      nextCursor: found.length > input.limit ? some.at(-1)!.id : null,
    }
  }

  /** `[owner:]name`, or `[owner:]name-expN`: mine first, then my default team's, then any that I may see. */
  async function find(actor: Actor, reference: string, team?: string): Promise<RunDetails> {
    const [, owner, given = reference] = /^([^:]+):(.+)$/.exec(reference) ?? []
    const name = given.replace(/-exp\d+$/, '')
    const teamIds = await access.contentTeamIds(actor)
    const found = await selectRuns(
      db,
      sql`r.name = ${name} and r.team_id = any(${teamIds}::uuid[]) and ${await access.visibleProjects(actor)}
        ${team ? sql`and lower(t.slug) = lower(${team})` : sql``}
        ${owner && owner !== 'me' ? sql`and (lower(c.username) = lower(${owner}) or lower(c.email) = lower(${owner}) or lower(t.slug) = lower(${owner}))` : sql``}
        ${owner === 'me' ? sql`and r.created_by = ${actor.userId}` : sql``}`,
      sql`order by r.created_by = ${actor.userId} desc, r.team_id = ${actor.defaultTeamId} desc, r.id desc limit 20`,
    )
    const isMine = (run: StoredRun) => run.ownerId === actor.userId
    const best = [
      found.filter(isMine),
      found.filter((run) => run.teamId === actor.defaultTeamId),
      found,
    ].find((some) => some.length > 0)
    if (best === undefined)
      throw new GridError('not_found', `There is no run "${reference}" that you can see`, {
        hint: '"grid status --global" and "grid history --global" list what there is.',
      })
    if (best.length > 1)
      throw new GridError('invalid', `"${reference}" names ${best.length} runs`, {
        hint: `Say which team: ${best.map((run) => run.teamSlug).join(', ')} (--team).`,
      })
    return await shown(await access.allowed(actor, 'run:read', best[0]))
  }

  async function shown(run: StoredRun, on: Db = db): Promise<RunDetails> {
    const rows = await experimentsOfRun(on, run.id)
    const names = await compute.clusters.names([run.clusterId])
    // A dry run is seen from inside its own transaction, where nothing has been tried.
    const isDry = on !== db
    const ids = rows.map((row) => row.experimentId)
    const stored = isDry ? new Map() : await experiments.inRun.loadAll(ids)
    const last = new Map<string, Attempt>()
    if (!isDry)
      for (const attempt of await compute.attemptsOf(ids))
        if (!last.has(attempt.ownerId)) last.set(attempt.ownerId, attempt)
    const experimentList = rows.flatMap((row): RunExperiment[] => {
      const experiment = stored.get(row.experimentId)
      if (!experiment && !isDry) return []
      const attempt = last.get(row.experimentId)
      const name = `${run.name}-exp${row.number}`
      const now = clock.now().getTime()
      const createdAt: Date = experiment?.createdAt ?? run.createdAt
      const began = attempt?.runningAt ?? attempt?.endedAt ?? null
      const ended: Date | null = experiment?.endedAt ?? attempt?.endedAt ?? null
      const until = ended?.getTime() ?? now
      return [
        {
          id: row.experimentId,
          number: row.number,
          slug: experiment?.slug ?? name,
          name: experiment?.name ?? name,
          state: experiment?.state ?? 'pending',
          stopRequested: experiment?.stopRequested ?? false,
          exitCode: experiment?.exitCode ?? null,
          command: commandLine(run.spec.script, row.arguments),
          parameters: row.parameters,
          attempt: attempt ? shownAttempt(attempt) : null,
          createdAt: createdAt.toISOString(),
          endedAt: ended?.toISOString() ?? null,
          queuedSeconds: seconds(createdAt.getTime(), began?.getTime() ?? until),
          runSeconds: attempt?.runningAt ? seconds(attempt.runningAt.getTime(), until) : 0,
        },
      ]
    })
    return {
      ...rowOf(run, names.get(run.clusterId) ?? ''),
      spec: run.spec,
      environmentNames: run.environmentNames,
      git: run.git,
      code: run.codeSha256 === null ? null : { sha256: run.codeSha256, sizeBytes: run.codeSizeBytes ?? 0 },
      datastores: run.datastores.map(({ owner, name, version, mountPath }) => ({
        owner,
        name,
        version,
        mountPath,
      })),
      clonedFrom: run.clonedFrom,
      warnings: run.warnings,
      experimentList,
    }
  }

  async function buildLog(actor: Actor, team: string, name: string, number: number) {
    const run = await access.allowed(actor, 'log:read', findRun(db, team, name))
    const row = (await experimentsOfRun(db, run.id)).find((each) => each.number === number)
    const attempt = row && (await compute.attemptsOf([row.experimentId]))[0]
    if (!attempt) throw new GridError('not_found', `${name} has no experiment ${number}`)
    const lines = (await compute.buildLines(attempt.id)).map(({ at, text }) => ({
      at: at.toISOString(),
      text,
    }))
    return { lines: [...platformLines(attempt, 'before'), ...lines, ...platformLines(attempt, 'after')] }
  }

  /** One that the actor may make a copy of. */
  async function cloneable(actor: Actor, id: string): Promise<StoredRun> {
    return await access.allowed(actor, 'run:clone', findRunById(db, id))
  }

  /** With its secrets: for machines, and for copies that take them along. */
  function environmentOf(run: StoredRun | undefined): Record<string, string> {
    if (!run?.sealedEnvironment) return {}
    return JSON.parse(sealed.open(run.sealedEnvironment, `run:${run.id}`)) as Record<string, string>
  }

  return {
    get,
    list,
    find,
    buildLog,
    readable,
    shown,
    cloneable,
    environmentOf,
    ofExperiment: (id: string) => runOfExperiment(db, id),
  }
}

/** What the platform has to say about a try, among the lines of its build: every end has at least one. */
function platformLines(attempt: Attempt, when: 'before' | 'after'): { at: string; text: string }[] {
  const line = (at: Date | null, text: string) => (at && text ? [{ at: at.toISOString(), text }] : [])
  if (when === 'before')
    return [
      ...line(attempt.createdAt, `Submitted (try ${attempt.number + 1}).`),
      ...line(attempt.startedAt, `Placed${attempt.node ? ` on ${attempt.node}` : ''}.`),
    ]
  return line(attempt.endedAt ?? (attempt.message ? attempt.createdAt : null), attempt.message)
}

function shownAttempt(attempt: Attempt): NonNullable<RunExperiment['attempt']> {
  return {
    id: attempt.id,
    number: attempt.number,
    state: attempt.state,
    message: attempt.message,
    node: attempt.node,
    createdAt: attempt.createdAt.toISOString(),
    startedAt: attempt.startedAt?.toISOString() ?? null,
    runningAt: attempt.runningAt?.toISOString() ?? null,
    endedAt: attempt.endedAt?.toISOString() ?? null,
  }
}

function rowOf(run: StoredRun, cluster: string): Run {
  const { counts } = run
  const status =
    counts.queued > 0
      ? 'queued'
      : counts.running > 0
        ? 'running'
        : counts.failed > 0
          ? 'failed'
          : counts.stopped > 0
            ? 'cancelled'
            : 'succeeded'
  return {
    id: run.id,
    team: run.teamSlug,
    project: run.projectName,
    name: run.name,
    description: run.description,
    status,
    command: commandLine(run.spec.script, run.spec.arguments),
    cluster,
    instanceType: run.spec.instanceType,
    createdBy: { username: run.createdBy.username, name: run.createdBy.name },
    createdById: run.createdBy.id,
    via: run.via && { username: run.via.username, name: run.via.name },
    createdAt: run.createdAt.toISOString(),
    endedAt: run.endedAt?.toISOString() ?? null,
    archivedAt: run.archivedAt?.toISOString() ?? null,
    ...counts,
  }
}

function seconds(from: number, to: number): number {
  return Math.max(0, (to - from) / 1000)
}
