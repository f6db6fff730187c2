/** `grid status`, `grid history` and the references people type: experiments by group and by name, over all teams. */
import { GridError, type Experiment, type StatusRow } from '@teamgrid/api'
import { type RawBuilder, sql } from 'kysely'
import type { Actor } from '../actor.ts'
import type { Parts } from './deps.ts'
import { experimentOf } from './experiment.ts'
import { selectExperiments, withoutContent } from './store.ts'
import type { StoredExperiment } from './types.ts'

export type StatusInput = {
  scope: 'mine' | 'global'
  team?: string
  user?: string
  show: 'active' | 'history'
  limit: number
  cursor?: string
}

/** More than one screen of candidates helps nobody. */
const candidatesMax = 10
const experimentsOfRunMax = 10_000

export function createStatus({ db, access, teams }: Pick<Parts, 'db' | 'access' | 'teams'>) {
  /**
   * Runs: experiments of one person that share a group in a project, or one experiment that has none. Newest first.
   * @returns `inactive`: how many more runs there are in which nothing runs or waits.
   */
  async function status(
    actor: Actor,
    input: StatusInput,
  ): Promise<{ items: StatusRow[]; nextCursor: string | null; inactive: number }> {
    const where = sql.join(
      [
        sql`e.deleted_at is null and e.team_id = any(${await teamIdsOf(actor, input.team)}::uuid[])`,
        ...(input.user !== undefined
          ? [sql`(lower(c.username) = lower(${input.user}) or lower(c.email) = lower(${input.user}))`]
          : input.scope === 'mine'
            ? [sql`e.created_by = ${actor.attributedTo?.userId ?? actor.userId}`]
            : []),
      ],
      sql` and `,
    )
    const seen = await seenBy(actor)
    const count = (states: RawBuilder<unknown>) => sql`count(*) filter (where e.state in (${states}))`
    const isActive = sql`running + queued > 0`
    const { rows } = await sql<Counts & { inactive: number; newest: string | null }>`
      with runs as materialized (
        select max(e.id::text) as newest, min(e.created_at) as created_at,
          max(coalesce(e.ended_at, e.heartbeat_at)) as last_at, count(*) as experiments,
          ${count(sql`'running', 'preempting'`)} as running,
          ${count(sql`'pending'`)} as queued,
          ${count(sql`'finished'`)} as completed,
          ${count(sql`'failed', 'crashed'`)} as failed,
          ${count(sql`'killed', 'preempted'`)} as stopped
        from experiments e join users c on c.id = e.created_by join projects p on p.id = e.project_id
        where ${where} and ${seen}
        group by e.project_id, e.created_by, e.group_name, case when e.group_name is null then e.id end
      )
      select inactive, page.* from (select count(*) filter (where not (${isActive})) as inactive from runs) counted
      left join lateral (
        select r.*, coalesce(n.group_name, n.name) as run, t.slug as team, p.name as project,
          c.username, c.name as person
        from (
          select * from runs
          where ${input.show === 'active' ? isActive : sql`not (${isActive})`}
            ${input.cursor === undefined ? sql`` : sql`and newest < ${input.cursor}`}
          order by newest desc limit ${input.limit + 1}
        ) r
        join experiments n on n.id = r.newest::uuid
        join projects p on p.id = n.project_id
        join teams t on t.id = n.team_id
        join users c on c.id = n.created_by
      ) page on true
      order by page.newest desc`.execute(db)
    const found = rows.filter((row) => row.newest !== null)
    const shown = found.slice(0, input.limit)
    return {
      items: shown.map(statusRowOf),
      nextCursor: found.length > input.limit ? shown.at(-1)!.newest : null,
      inactive: rows[0]!.inactive,
    }
  }

  /**
   * Which experiment `name`, `owner:name` or `team/project/slug` means; all experiments of a group for its name.
   * Without an owner one's own come first, then those of the default team, then the rest of one's teams.
   * @throws GridError not_found; invalid, naming the candidates, when several fit.
   */
  async function resolve(actor: Actor, { ref, team }: { ref: string; team?: string }): Promise<Experiment[]> {
    const teamIds = await teamIdsOf(actor, team)
    const inTeams = sql`e.team_id = any(${teamIds}::uuid[]) and ${await seenBy(actor)}`
    const path = /^([^/]+)\/([^/]+)\/([^/]+)$/.exec(ref)
    if (path) {
      const [, teamSlug, project, slug] = path
      const found = await select(
        sql`${inTeams} and lower(t.slug) = lower(${teamSlug}) and lower(p.name) = lower(${project}) and e.slug = ${slug}`,
      )
      if (found.length > 0) return found.map(experimentOf)
    }
    const colon = ref.indexOf(':')
    if (colon > 0) {
      const owned = await ownedBy(actor, ref.slice(0, colon))
      const found =
        owned && (await fitting(sql`${inTeams} and ${owned}`, ref.slice(colon + 1).replace(/^\//, ''), ref))
      if (found) return found
    }
    // The whole may be a name too: display names may hold colons.
    for (const place of placesOf(actor, team)) {
      const found = await fitting(sql`${inTeams} and ${place}`, ref, ref)
      if (found) return found
    }
    throw new GridError('not_found', `There is no experiment "${ref}" that you can see.`, {
      hint: 'Write [owner:]name, or team/project/id; "grid status --global" lists what runs.',
    })
  }

  /** Whose experiments an owner's name means: a person's, or a team's. Undefined when nobody is called so. */
  async function ownedBy(actor: Actor, owner: string): Promise<RawBuilder<unknown> | undefined> {
    if (owner === 'me') return sql`e.created_by = ${actor.attributedTo?.userId ?? actor.userId}`
    const { rows } = await sql<{ id: string }>`
      select id from users where lower(username) = lower(${owner}) or lower(email) = lower(${owner}) limit 1`.execute(
      db,
    )
    if (rows[0]) return sql`e.created_by = ${rows[0].id}`
    const found = await teams.findTeam(owner)
    return found && sql`e.team_id = ${found.id}`
  }

  function placesOf(actor: Actor, team: string | undefined): RawBuilder<unknown>[] {
    const mine = sql`e.created_by = ${actor.attributedTo?.userId ?? actor.userId}`
    if (team !== undefined || actor.defaultTeamId === null) return [mine, sql`true`]
    return [mine, sql`e.team_id = ${actor.defaultTeamId}`, sql`true`]
  }

  /** By id, then by display name, then by group: the first of them that fits. */
  async function fitting(
    place: RawBuilder<unknown>,
    name: string,
    ref: string,
  ): Promise<Experiment[] | undefined> {
    for (const match of [sql`e.slug = ${name}`, sql`lower(e.name) = lower(${name})`]) {
      const found = await select(sql`${place} and ${match}`)
      if (found.length > 1) throw ambiguous(ref, found.map(addressOf))
      if (found.length === 1) return found.map(experimentOf)
    }
    const grouped = await select(sql`${place} and e.group_name = ${name}`)
    if (grouped.length === 0) return undefined
    const runs = Map.groupBy(grouped, (each) => `${each.projectId} ${each.createdBy.id}`)
    if (runs.size > 1)
      throw ambiguous(
        ref,
        [...runs.values()].map(([first]) => groupAddressOf(first!)),
      )
    return grouped.map(experimentOf)
  }

  function select(where: RawBuilder<unknown>): Promise<StoredExperiment[]> {
    return selectExperiments(db, where, sql`order by e.id desc limit ${experimentsOfRunMax}`, withoutContent)
  }

  /** One's own, and what stands in projects that one may see. */
  async function seenBy(actor: Actor): Promise<RawBuilder<unknown>> {
    return sql`(e.created_by = ${actor.userId} or ${await access.visibleProjects(actor)})`
  }

  async function teamIdsOf(actor: Actor, slug: string | undefined): Promise<string[]> {
    const visible = await access.contentTeamIds(actor)
    if (slug === undefined) return visible
    const team = await teams.findTeam(slug)
    if (!team || !visible.includes(team.id))
      throw new GridError('not_found', `There is no team "${slug}" that you can see.`)
    return [team.id]
  }

  return { status, resolve }
}

type Counts = {
  run: string
  team: string
  project: string
  username: string
  person: string
  created_at: Date
  last_at: Date
  experiments: number
  running: number
  queued: number
  completed: number
  failed: number
  stopped: number
}

/** Anything waiting makes a run queued, else anything running makes it running; ended ones are as good as their worst. */
export function runStatusOf(
  counts: Pick<Counts, 'queued' | 'running' | 'failed' | 'stopped'>,
): StatusRow['status'] {
  if (counts.queued > 0) return 'queued'
  if (counts.running > 0) return 'running'
  if (counts.failed > 0) return 'failed'
  return counts.stopped > 0 ? 'cancelled' : 'succeeded'
}

function statusRowOf(row: Counts): StatusRow {
  return {
    run: row.run,
    team: row.team,
    project: row.project,
    createdBy: { username: row.username, name: row.person },
    status: runStatusOf(row),
    createdAt: row.created_at.toISOString(),
    durationSeconds: Math.max(0, (row.last_at.getTime() - row.created_at.getTime()) / 1000),
    experiments: row.experiments,
    running: row.running,
    queued: row.queued,
    completed: row.completed,
    failed: row.failed,
    stopped: row.stopped,
  }
}

function ambiguous(ref: string, candidates: string[]): GridError {
  const more = candidates.length > candidatesMax ? ' …' : ''
  return new GridError(
    'invalid',
    `"${ref}" may mean several experiments: ${candidates.slice(0, candidatesMax).join(', ')}${more}`,
    { hint: 'Write one of them as it stands here.' },
  )
}

function addressOf({ teamSlug, projectName, slug }: StoredExperiment): string {
  return `${teamSlug}/${projectName}/${slug}`
}

function groupAddressOf({ createdBy, group, teamSlug, projectName }: StoredExperiment): string {
  return `${createdBy.username}:${group} (in ${teamSlug}/${projectName})`
}
