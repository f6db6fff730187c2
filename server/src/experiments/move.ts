/**
 * Moving experiments to another project or team, all of them or none. What they logged is stored under their id and
 * stays where it is; their rows, addresses and alerts change in one transaction, and their facts follow in the metric
 * store while their scripts wait. Should the facts not follow (the store was away), `finishMoves` brings them later.
 */
import { type Filter, GridError } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import { pathOf, recordAll } from '../activity.ts'
import type { Actor, Guarded, TeamRules } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { StoredProject } from '../teams/projects.ts'
import type { Parts } from './deps.ts'
import { factsOf } from './facts.ts'
import { factFilterOf } from './filters.ts'
import { selectExperiments } from './store.ts'

type Db = Kysely<Database>

/** More at once would hold locks and memory for long; a filter cuts it into parts. */
export const movesMax = 20_000
/** Told one by one to open pages; beyond it lists are told that their project changed. */
const toldMax = 200
const repairBatch = 100
/** Told by name to their owner; of the rest the number. */
const namedMax = 5
/** A move of another process may still be under way. */
const repairAfterSeconds = 120

export type MoveInput = {
  experimentIds?: string[]
  /** Instead of ids: all of a project that match. */
  from?: { team: string; project: string; search?: string; filters?: Filter[] }
  to: { team: string; project: string }
  /** Move what one may move instead of refusing all when one may not. */
  skipDenied?: boolean
}

export type MoveResult = {
  moved: number
  skipped: number
  team: string
  project: string
  /** Those that had to take another address, because theirs was taken there. */
  renamed: { name: string; from: string; to: string }[]
}

type Candidate = {
  id: string
  slug: string
  name: string
  project_id: string
  project_name: string
  team_id: string
  team_slug: string
  created_by: string
  creator: string
  via_user_id: string | null
  is_live: boolean
  policy_preset: string
  policy_overrides: TeamRules['policy_overrides']
  team_kind: TeamRules['kind']
  visibility: 'team' | 'private'
  kept_by: string | null
}

export function createMover({ db, access, teams, metrics, facts, events, deeds, clock }: Parts) {
  const underWay = new Set<string>()

  /**
   * Moves experiments. Who takes them needs to be allowed to move each and to make experiments where they go.
   *
   * @throws GridError not_found for what one may not see; policy_denied or forbidden for what one may not take, and
   *   nothing has moved; conflict for experiments whose script could not log in the other team; too_large.
   */
  async function move(actor: Actor, input: MoveInput): Promise<MoveResult> {
    const found = await candidates(actor, input)
    const { takes, skipped } = await mayTake(actor, found, input.skipDenied === true)
    const team = await access.allowed(actor, 'experiment:create', teams.teamGuard(input.to.team))
    const moving = takes.filter((each) => !isThere(each, team.id, input.to.project))
    const empty = { moved: 0, skipped, team: team.slug, project: input.to.project, renamed: [] }
    if (moving.length === 0) return empty
    await refuseCutOff(moving, team)
    const ids = moving.map(({ id }) => id)
    const done = await facts.together(ids, async () => {
      const result = await db
        .transaction()
        .execute((trx) => moveRows(trx, actor, ids, team, input.to.project))
      await moveFacts(result)
      return result
    })
    deeds.committed()
    tell(done.before, done.project)
    const { project, renamed } = done
    return { moved: ids.length, skipped, team: team.slug, project: project.name, renamed }
  }

  async function candidates(actor: Actor, input: MoveInput): Promise<Candidate[]> {
    if ((input.experimentIds === undefined) === (input.from === undefined))
      throw new GridError('invalid', 'Say which experiments: by their ids, or all of a project that match')
    const ids = input.experimentIds ?? (await matching(actor, input.from!))
    if (ids.length > movesMax)
      throw new GridError('too_large', `At most ${movesMax} experiments move at once`, {
        hint: 'Narrow the filter and move them in parts.',
      })
    const wanted = [...new Set(ids)]
    const found = await selectCandidates(db, wanted)
    // One that was chosen by hand and is gone is a mistake; one that no longer matches is none.
    if (input.experimentIds && found.length < wanted.length) throw new GridError('not_found')
    return found
  }

  async function matching(actor: Actor, from: NonNullable<MoveInput['from']>): Promise<string[]> {
    const project = await access.allowed(
      actor,
      'project:read',
      teams.findProjectGuard(from.team, from.project),
    )
    const filter = factFilterOf(from.search, from.filters ?? [])
    if (filter === null) {
      const rows = await db
        .selectFrom('experiments')
        .select('id')
        .where('project_id', '=', project.id)
        .where('deleted_at', 'is', null)
        .limit(movesMax + 1)
        .execute()
      return rows.map(({ id }) => id)
    }
    const page = await metrics.find({
      projectIds: [project.id],
      filter,
      sort: [],
      offset: 0,
      limit: movesMax + 1,
    })
    return page.experimentIds
  }

  /** What the table says depends on the project and the owner alone, so each case is asked once. */
  async function mayTake(actor: Actor, found: Candidate[], skipDenied: boolean) {
    const cases = Map.groupBy(found, (each) => [each.project_id, each.created_by, each.via_user_id].join(' '))
    const takes: Candidate[] = []
    let skipped = 0
    for (const group of cases.values()) {
      const guard = guardOf(group[0]!)
      if (skipDenied && !(await access.permits(actor, 'experiment:move', guard))) {
        // What one may not even see is not skipped but not there.
        await access.allowed(actor, 'experiment:read', guard)
        skipped += group.length
        continue
      }
      await access.allowed(actor, 'experiment:move', guard)
      takes.push(...group)
    }
    return { takes, skipped }
  }

  /** A script that still runs must be able to go on logging: its person, or service account, has to be there. */
  async function refuseCutOff(moving: Candidate[], team: Guarded & { slug: string }): Promise<void> {
    const live = moving.filter((each) => each.is_live && each.team_id !== team.teamId)
    if (live.length === 0) return
    const loggers = [...new Set(live.map((each) => each.via_user_id ?? each.created_by))]
    const there = await db
      .selectFrom('memberships')
      .select('user_id')
      .where('team_id', '=', team.teamId)
      .where('user_id', 'in', loggers)
      .where('role', '!=', 'viewer')
      .execute()
    const ids = new Set(there.map((row) => row.user_id))
    const cutOff = live.find((each) => !ids.has(each.via_user_id ?? each.created_by))
    if (cutOff === undefined) return
    throw new GridError(
      'conflict',
      `${cutOff.name} still logs, and who logs it (${cutOff.creator}${cutOff.via_user_id ? ', through a service account' : ''}) cannot log to ${team.slug}. Nothing was moved.`,
      {
        hint: `Stop it or wait for its end, or add ${cutOff.creator} to ${team.slug} first.`,
        owner: cutOff.creator,
      },
    )
  }

  async function moveRows(
    trx: Db,
    actor: Actor,
    ids: string[],
    team: Guarded & { id: string; slug: string },
    projectName: string,
  ) {
    const { project } = await teams.ensureProject(trx, actor, team, projectName)
    // In the order of their ids, so that two moves that meet wait for each other one way only.
    await sql`select 1 from experiments where id = any(${ids}::uuid[]) order by id for update`.execute(trx)
    const before = await selectCandidates(trx, ids)
    if (before.length < ids.length || before.some((each) => each.project_id === project.id))
      throw new GridError('conflict', 'Some of these experiments were moved or deleted in this moment', {
        hint: 'Look again and move what is left.',
      })
    // Nobody may have changed hands since permission was proven; a new owner asks for a new proof.
    await mayTake(actor, before, false)
    const slugs = await freeSlugs(trx, project.id, before)
    const now = clock.now()
    await updateRows(trx, { actor, before, slugs, project, now })
    await noteAddresses(trx, before, now)
    await recordAll(trx, actor, 'experiment:move', linesOf(before, slugs, project, team.slug))
    await tellOwners(trx, actor, before, slugs, project)
    const factMoves: { id: string; from: string; ids: string[] }[] = []
    for (const [from, group] of Map.groupBy(before, (each) => each.project_id)) {
      const moved = { id: newId(), from, ids: group.map(({ id }) => id) }
      factMoves.push(moved)
      underWay.add(moved.id)
      await trx
        .insertInto('fact_moves')
        .values({ id: moved.id, from_project_id: from, experiment_ids: moved.ids, created_at: now })
        .execute()
    }
    const renamed = before.flatMap(({ id, name, slug }) =>
      slugs.get(id) === slug ? [] : [{ name, from: slug, to: slugs.get(id)! }],
    )
    return { before, project, renamed, factMoves }
  }

  /** Once for each owner and place that theirs left, however many there were. */
  async function tellOwners(
    trx: Db,
    actor: Actor,
    before: Candidate[],
    slugs: Map<string, string>,
    project: StoredProject,
  ): Promise<void> {
    const whose = Map.groupBy(before, (each) => `${each.project_id} ${each.created_by} ${each.via_user_id}`)
    const there = await trx
      .selectFrom('memberships')
      .select('user_id')
      .where('team_id', '=', project.teamId)
      .execute()
    const members = new Set(there.map((row) => row.user_id))
    for (const group of whose.values()) {
      const [first] = group
      const { team_id: teamId, team_slug, created_by: ownerId, via_user_id: createdById } = first!
      const what = group.length === 1 ? first!.name : `${group.length} experiments of yours`
      const title = `${actor.username} moved ${what}`
      // Another team and its projects are told to its own people only.
      const knows = project.teamId === teamId || members.has(ownerId)
      const where = knows ? `${project.teamSlug}/${project.name}` : 'another team'
      const names = group.slice(0, namedMax).map(({ name }) => name)
      const more = group.length > names.length ? ` and ${group.length - names.length} more` : ''
      await deeds.told(trx, actor, {
        teamId,
        ownerId,
        createdById,
        title,
        text: `${title} from ${team_slug}/${first!.project_name} to ${where}${group.length === 1 ? '' : `: ${names.join(', ')}${more}`}. Old addresses lead there.`,
        link: !knows
          ? null
          : group.length === 1
            ? pathOf(project.teamSlug, project.name, 'runs', slugs.get(first!.id)!)
            : pathOf(project.teamSlug, project.name),
      })
    }
  }

  async function updateRows(
    trx: Db,
    {
      actor,
      before,
      slugs,
      project,
      now,
    }: { actor: Actor; before: Candidate[]; slugs: Map<string, string>; project: StoredProject; now: Date },
  ): Promise<void> {
    const ids = before.map(({ id }) => id)
    try {
      await sql`
        update experiments e set project_id = ${project.id}, team_id = ${project.teamId}, slug = m.slug,
          moved_at = ${now}, moved_by = ${actor.userId}, updated_at = ${now}
        from unnest(${ids}::uuid[], ${ids.map((id) => slugs.get(id)!)}::text[]) m (id, slug)
        where e.id = m.id`.execute(trx)
    } catch (error) {
      if ((error as { code?: string }).code !== '23505') throw error
      throw new GridError('conflict', 'Somebody has just taken an address there; try again', { cause: error })
    }
    await sql`update alerts set team_id = ${project.teamId} where experiment_id = any(${ids}::uuid[])`.execute(
      trx,
    )
  }

  async function noteAddresses(trx: Db, before: Candidate[], now: Date): Promise<void> {
    const column = (name: 'team_id' | 'project_id' | 'project_name' | 'slug' | 'id') =>
      before.map((each) => each[name])
    await sql`
      insert into experiment_addresses (team_id, project_id, project_name, slug, experiment_id, created_at)
      select *, ${now}::timestamptz from unnest(
        ${column('team_id')}::uuid[], ${column('project_id')}::uuid[], ${column('project_name')}::text[],
        ${column('slug')}::text[], ${column('id')}::uuid[])
      on conflict (project_id, slug) do update set
        experiment_id = excluded.experiment_id, created_at = excluded.created_at,
        project_name = excluded.project_name`.execute(trx)
    // Back where it was before, its address leads to itself.
    await sql`
      delete from experiment_addresses a using experiments e
      where e.id = a.experiment_id and e.project_id = a.project_id and e.slug = a.slug
        and e.id = any(${column('id')}::uuid[])`.execute(trx)
  }

  async function moveFacts({
    factMoves,
    project,
  }: {
    factMoves: { id: string; from: string; ids: string[] }[]
    project: StoredProject
  }): Promise<void> {
    for (const { id, from, ids } of factMoves) {
      try {
        await metrics.moveFacts({ experimentIds: ids, fromProjectId: from, toProjectId: project.id })
        await db.deleteFrom('fact_moves').where('id', '=', id).execute()
      } catch {
        // The move itself is done. What is noted in `fact_moves` is brought after by `finishMoves`.
      } finally {
        underWay.delete(id)
      }
    }
  }

  /** Brings facts after that could not follow their experiments. One step of a loop. @returns how many moves. */
  async function finishMoves(): Promise<number> {
    const before = new Date(clock.now().getTime() - repairAfterSeconds * 1000)
    const rows = await db.selectFrom('fact_moves').selectAll().where('created_at', '<', before).execute()
    let finished = 0
    for (const row of rows.filter(({ id }) => !underWay.has(id))) {
      for (let start = 0; start < row.experiment_ids.length; start += repairBatch)
        await rewrite(row.experiment_ids.slice(start, start + repairBatch), row.from_project_id)
      await db.deleteFrom('fact_moves').where('id', '=', row.id).execute()
      finished += 1
    }
    return finished
  }

  /** From Postgres, because what the metric store has may be half moved. */
  async function rewrite(ids: string[], fromProjectId: string): Promise<void> {
    await facts.together(ids, async () => {
      const there = await selectExperiments(db, sql`e.id = any(${ids}::uuid[])`)
      await metrics.append({
        facts: there.map((each) => ({
          projectId: each.projectId,
          experimentId: each.id,
          facts: [...factsOf(each).values()],
          removedKeys: [],
        })),
      })
      const back = new Set(there.filter((each) => each.projectId === fromProjectId).map(({ id }) => id))
      const gone = ids.filter((id) => !back.has(id))
      if (gone.length > 0) await metrics.removeFacts({ experimentIds: gone, projectId: fromProjectId })
    })
  }

  function tell(before: Candidate[], project: StoredProject): void {
    for (const { id, team_id, project_id } of before.slice(0, toldMax)) {
      for (const at of [
        { teamId: team_id, projectId: project_id },
        { teamId: project.teamId, projectId: project.id },
      ])
        events.publish({ type: 'experiment.changed', experimentId: id, ...at })
    }
    const places = new Map(before.map((each) => [each.project_id, each.team_id]))
    places.set(project.id, project.teamId)
    for (const [projectId, teamId] of places) events.publish({ type: 'project.changed', teamId, projectId })
  }

  return { move, finishMoves }
}

async function selectCandidates(db: Db, ids: string[]): Promise<Candidate[]> {
  const { rows } = await sql<Candidate>`
    select e.id, e.slug, e.name, e.project_id, p.name as project_name, e.team_id, t.slug as team_slug,
      e.created_by, c.username as creator, e.via_user_id, e.state in ('pending', 'running', 'preempting') as is_live,
      t.policy_preset, t.policy_overrides, t.kind as team_kind, p.visibility, p.created_by as kept_by
    from experiments e join projects p on p.id = e.project_id join teams t on t.id = e.team_id
    join users c on c.id = e.created_by
    where e.id = any(${ids}::uuid[]) and e.deleted_at is null order by e.id`.execute(db)
  return rows
}

function guardOf(each: Candidate): Guarded {
  return {
    teamId: each.team_id,
    teamRules: {
      policy_preset: each.policy_preset,
      policy_overrides: each.policy_overrides,
      kind: each.team_kind,
    },
    ownerId: each.created_by,
    createdById: each.via_user_id,
    visibility: each.visibility,
    keptById: each.kept_by,
    experimentId: each.id,
    kind: 'experiment',
    label: each.name,
  }
}

function isThere(each: Candidate, teamId: string, project: string): boolean {
  return each.team_id === teamId && each.project_name.toLowerCase() === project.toLowerCase()
}

/** The address of each in the project: its own, or with a number behind it where that is taken. */
async function freeSlugs(trx: Db, projectId: string, moving: Candidate[]): Promise<Map<string, string>> {
  const chosen = new Map<string, string>()
  const given = new Set<string>()
  let open = moving.map(({ id, slug }) => ({ id, slug, wanted: slug }))
  for (let number = 2; open.length > 0; number += 1) {
    const wanted = open.map((each) => each.wanted)
    const { rows } = await sql<{ slug: string }>`
      select slug from experiments
      where project_id = ${projectId} and deleted_at is null and slug = any(${wanted}::text[])`.execute(trx)
    const taken = new Set(rows.map(({ slug }) => slug))
    const again: typeof open = []
    for (const each of open) {
      if (taken.has(each.wanted) || given.has(each.wanted)) {
        again.push({ ...each, wanted: `${each.slug.slice(0, 120)}-${number}` })
        continue
      }
      chosen.set(each.id, each.wanted)
      given.add(each.wanted)
    }
    open = again
  }
  return chosen
}

/** In the log of the team they left and, if it is another, of the team they came to. */
function linesOf(before: Candidate[], slugs: Map<string, string>, project: StoredProject, teamSlug: string) {
  return before.flatMap((each) => {
    const line = {
      kind: 'experiment',
      id: each.id,
      details: {
        name: each.name,
        owner: each.creator,
        from: `${each.team_slug}/${each.project_name}/${each.slug}`,
        to: `${teamSlug}/${project.name}/${slugs.get(each.id)!}`,
      },
    }
    return [...new Set([each.team_id, project.teamId])].map((teamId) => ({ ...line, teamId }))
  })
}
