import { type Budget, GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { UsageDeps } from './deps.ts'
import { periodOf } from './metering.ts'
import * as store from './store.ts'
import { wordsOf } from './ticking.ts'

/** More than any team keeps an overview of; each costs a query at every step. */
const budgetsMax = 100

export function createBudgets({ db, access, teams, events, clock }: UsageDeps) {
  /** Budgets of private projects are there for those who may see the project. */
  async function list(actor: Actor, slug: string): Promise<Budget[]> {
    const team = await access.allowed(actor, 'balance:read', teams.teamGuard(slug))
    const budgets = await store.listBudgets(db, [team.teamId])
    const shown = await Promise.all(
      budgets.map(async (budget) => {
        const project = budget.project === null ? null : await teams.findProjectGuard(slug, budget.project)
        return project === null || (project && (await access.permits(actor, 'project:read', project)))
          ? [await present(budget)]
          : []
      }),
    )
    return shown.flat()
  }

  async function present(budget: store.StoredBudget): Promise<Budget> {
    const period = periodOf(budget.period, clock.now())
    return {
      id: budget.id,
      person: budget.username === null ? null : { username: budget.username, name: budget.userName ?? '' },
      project: budget.project,
      period: budget.period,
      microcredits: budget.microcredits,
      noticePercents: budget.noticePercents,
      isHard: budget.isHard,
      usedMicrocredits: await store.usedSince(db, budget, period.start),
      renewsAt: period.end?.toISOString() ?? null,
    }
  }

  async function create(
    actor: Actor,
    input: {
      team: string
      person?: string | undefined
      project?: string | undefined
      period: Budget['period']
      microcredits: number
      noticePercents: number[]
      isHard: boolean
    },
  ): Promise<Budget> {
    const team = await access.allowed(actor, 'budget:edit', teams.teamGuard(input.team))
    if (input.person !== undefined && input.project !== undefined)
      throw new GridError('invalid', 'A budget is for a person or for a project, not for both')
    const userId = input.person === undefined ? null : await memberId(team.teamId, input.person)
    const project =
      input.project === undefined
        ? null
        : await access.allowed(actor, 'project:read', teams.findProjectGuard(input.team, input.project))
    const id = newId()
    await db.transaction().execute(async (trx) => {
      const others = await store.listBudgets(trx, [team.teamId])
      if (others.length >= budgetsMax)
        throw new GridError('conflict', `${input.team} has ${budgetsMax} budgets already`)
      await trx
        .insertInto('budgets')
        .values({
          id,
          team_id: team.teamId,
          user_id: userId,
          project_id: project?.id ?? null,
          period: input.period,
          microcredits: input.microcredits,
          notice_percents: input.noticePercents,
          is_hard: input.isHard,
          created_by: actor.userId,
          created_at: clock.now(),
        })
        .execute()
      const { team: slug, ...details } = input
      await record(trx, actor, 'budget:edit', {
        teamId: team.teamId,
        kind: 'budget',
        id,
        details: { team: slug, ...details },
      })
    })
    events.publish({ type: 'usage.changed', teamId: team.teamId })
    return present((await store.findBudget(db, team.teamId, id))!)
  }

  async function memberId(teamId: string, username: string): Promise<string> {
    const member = await db
      .selectFrom('memberships as m')
      .innerJoin('users as u', 'u.id', 'm.user_id')
      .select('u.id')
      .where('m.team_id', '=', teamId)
      .where('u.username', '=', username)
      .executeTakeFirst()
    if (!member) throw new GridError('invalid', `${username} is not in the team`)
    return member.id
  }

  async function change(
    actor: Actor,
    {
      team: slug,
      budgetId,
      ...wanted
    }: {
      team: string
      budgetId: string
      microcredits?: number | undefined
      noticePercents?: number[] | undefined
      isHard?: boolean | undefined
    },
  ): Promise<Budget> {
    const { team, budget } = await editable(actor, slug, budgetId)
    const set = {
      ...(wanted.microcredits === undefined ? {} : { microcredits: wanted.microcredits }),
      ...(wanted.noticePercents === undefined ? {} : { notice_percents: wanted.noticePercents }),
      ...(wanted.isHard === undefined ? {} : { is_hard: wanted.isHard }),
      // With another limit the percentages mean something else.
      told_percent: 0,
    }
    await db.transaction().execute(async (trx) => {
      await trx.updateTable('budgets').set(set).where('id', '=', budget.id).execute()
      await record(trx, actor, 'budget:edit', {
        teamId: team.teamId,
        kind: 'budget',
        id: budget.id,
        details: { of: wordsOf(budget), ...wanted },
      })
    })
    events.publish({ type: 'usage.changed', teamId: team.teamId })
    return present((await store.findBudget(db, team.teamId, budget.id))!)
  }

  async function remove(actor: Actor, slug: string, budgetId: string): Promise<void> {
    const { team, budget } = await editable(actor, slug, budgetId)
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('budgets').where('id', '=', budget.id).execute()
      await record(trx, actor, 'budget:edit', {
        teamId: team.teamId,
        kind: 'budget',
        id: budget.id,
        details: { of: wordsOf(budget), deleted: true },
      })
    })
    events.publish({ type: 'usage.changed', teamId: team.teamId })
  }

  async function editable(actor: Actor, slug: string, budgetId: string) {
    const team = await access.allowed(actor, 'budget:edit', teams.teamGuard(slug))
    const budget = await store.findBudget(db, team.teamId, budgetId)
    if (!budget) throw new GridError('not_found', 'There is no such budget')
    return { team, budget }
  }

  return { list, create, change, remove }
}
