/** Kinds of chart that a team made for itself; scripts name them as `team/name`. */
import { GridError, Slug } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { TeamsDeps } from './service.ts'
import { createTeamSettings } from './settings.ts'

export type NewChart = {
  name: string
  displayName: string
  /** The language of the spec; `vega2` is what the client sends. */
  kind: string
  /** Everybody on this server may use it, and not only the team. */
  isPublic: boolean
  spec: Record<string, unknown>
}

/** More than any Vega-Lite file that people write by hand. */
const specBytesMax = 1024 * 1024
const displayNameLengthMax = 200

export function createCharts(deps: TeamsDeps) {
  const { db, access, clock } = deps
  const { teamGuard } = createTeamSettings(deps)

  /** @throws GridError conflict when the team has one of this name, invalid for names and specs that cannot be. */
  async function createChart(actor: Actor, slug: string, input: NewChart): Promise<{ id: string }> {
    const team = await access.allowed(actor, 'report:create', teamGuard(slug))
    const name = Slug.safeParse(input.name)
    if (!name.success) throw new GridError('invalid', name.error.issues[0]!.message)
    const displayName = input.displayName.trim() || name.data
    if (displayName.length > displayNameLengthMax)
      throw new GridError('invalid', `A chart's name has ${displayNameLengthMax} characters at most`)
    const spec = JSON.stringify(input.spec)
    if (spec.length > specBytesMax) throw new GridError('too_large', 'The spec of a chart has 1 MiB at most')
    const id = newId()
    await db.transaction().execute(async (trx) => {
      const inserted = await trx
        .insertInto('custom_charts')
        .values({
          id,
          team_id: team.id,
          name: name.data,
          display_name: displayName,
          kind: input.kind.slice(0, 50),
          is_public: input.isPublic,
          spec,
          created_by: actor.attributedTo?.userId ?? actor.userId,
          created_at: clock.now(),
          updated_at: clock.now(),
        })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst()
      if (!inserted.numInsertedOrUpdatedRows)
        throw new GridError('conflict', `There is a chart ${name.data} in ${team.slug} already`)
      await record(trx, actor, 'chart:create', {
        teamId: team.id,
        kind: 'chart',
        id,
        details: { name: name.data },
      })
    })
    return { id }
  }

  /** A chart by the name that scripts use. @throws GridError not_found, also for a private one of another team */
  async function getChart(actor: Actor, slug: string, name: string) {
    const row = await db
      .selectFrom('custom_charts')
      .innerJoin('teams', 'teams.id', 'custom_charts.team_id')
      .select([
        'custom_charts.id',
        'custom_charts.name',
        'display_name',
        'custom_charts.kind',
        'is_public',
        'spec',
      ])
      .where('teams.slug', '=', slug)
      .where('custom_charts.name', '=', name)
      .executeTakeFirst()
    if (!row?.is_public || actor.kind === 'anonymous')
      await access.allowed(actor, 'report:read', row && teamGuard(slug))
    const { display_name: displayName, is_public: isPublic, ...chart } = row!
    return { ...chart, displayName, isPublic }
  }

  return { createChart, getChart }
}
