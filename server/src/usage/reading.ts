/** Who and what used how much. */
import { GridError, type Usage, type UsageGroup, type UsageRow } from '@teamgrid/api'
import { type RawBuilder, sql } from 'kysely'
import type { Actor } from '../actor.ts'
import type { UsageDeps } from './deps.ts'
import { periodOf } from './metering.ts'

const hourMs = 3_600_000
const rangeMaxMs = 3 * 366 * 24 * hourMs
const rowsMax = 1000

export function createReading({ db, access, teams, clock }: UsageDeps) {
  /**
   * @param from to the whole hour below; the first of the month by default.
   * @throws GridError not_found, policy_denied; invalid for a range that is none or longer than three years
   */
  async function table(
    actor: Actor,
    {
      team: slug,
      by,
      from,
      to,
    }: {
      team: string
      by: UsageGroup
      from?: string | undefined
      to?: string | undefined
    },
  ): Promise<Usage> {
    const team = await access.allowed(actor, 'usage:read', teams.teamGuard(slug))
    const now = clock.now()
    const end = to === undefined ? now : new Date(to)
    const start = from === undefined ? periodOf('month', now).start : new Date(from)
    if (start >= end) throw new GridError('invalid', 'The range ends before it begins')
    if (end.getTime() - start.getTime() > rangeMaxMs)
      throw new GridError('invalid', 'The range is longer than three years')
    const firstHour = new Date(Math.floor(start.getTime() / hourMs) * hourMs)

    const visible = await access.visibleProjects(actor)
    // What happens in a private project is counted, and named for those alone who may see the project.
    const isShown = sql<boolean>`(m.project_id is null or p.id is null or ${visible})`
    const name: Record<UsageGroup, RawBuilder<string>> = {
      person: sql`coalesce(u.username, 'somebody deleted')`,
      project: sql`case when m.project_id is null then '—' when p.id is null then 'a deleted project'
        when ${isShown} then p.name else 'private projects' end`,
      machine: sql`m.cluster || ' · ' || m.machine || case when m.is_spot then ' (spot)' else '' end`,
      kind: sql`m.kind`,
      experiment: sql`case when ${isShown} then m.subject_name else 'in private projects' end`,
    }
    const source = sql`from usage_hours h join meters m on m.id = h.meter_id
      left join users u on u.id = m.user_id left join projects p on p.id = m.project_id
      where h.team_id = ${team.teamId} and h.hour >= ${firstHour} and h.hour < ${end}`
    const sums = sql`count(distinct m.id) as stays, sum(h.seconds)::bigint as seconds,
      sum(h.seconds::bigint * m.gpus)::bigint as "gpuSeconds", sum(h.microcredits)::bigint as microcredits,
      bool_or(not m.is_settled) as "isEstimate"`
    const rows = await sql<UsageRow>`select ${name[by]} as name, ${sums} ${source}
      group by 1 order by microcredits desc, seconds desc, name limit ${rowsMax}`.execute(db)
    const days = await sql<{ day: string; seconds: number; microcredits: number }>`select
        to_char(h.hour at time zone 'UTC', 'YYYY-MM-DD') as day, sum(h.seconds)::bigint as seconds,
        sum(h.microcredits)::bigint as microcredits ${source} group by 1 order by 1`.execute(db)
    const total = await sql<Omit<UsageRow, 'name'>>`select ${sums} ${source}`.execute(db)
    const { stays, ...sum } = total.rows[0]!
    return {
      from: firstHour.toISOString(),
      to: end.toISOString(),
      rows: rows.rows,
      days: days.rows,
      total:
        stays === 0
          ? { stays, seconds: 0, gpuSeconds: 0, microcredits: 0, isEstimate: false }
          : { stays, ...sum },
    }
  }

  return { table }
}
