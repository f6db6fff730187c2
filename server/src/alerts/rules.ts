/** Rules: who is told of what. The team's are kept by its admins, personal ones by anybody for themselves. */
import { type AlertRule, GridError, type Filter } from '@teamgrid/api'
import type { Access } from '../access.ts'
import { record } from '../activity.ts'
import type { Actor, Guarded } from '../actor.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Teams } from '../teams/service.ts'
import { checkArtifactFilters } from './artifact-rules.ts'
import type { Firing } from './firing.ts'
import type { Notifications } from './notifications.ts'
import { mailOf } from './sentences.ts'
import {
  type Db,
  findPlace,
  findRule,
  listChannels,
  listRules,
  presentRule,
  type StoredRule,
} from './store.ts'

/** Each costs a look at every line of its team. */
const rulesMax = 200
const payloadBytesMax = 20_000
/** How old the copy may be that lines are compared with, where several servers share a database. */
const cacheMs = 30_000

export type RuleInput = Omit<AlertRule, 'id' | 'createdBy' | 'createdAt' | 'updatedAt' | 'lastFiredAt'>
export type Rules = ReturnType<typeof createRules>

export function createRules(deps: {
  db: Db
  access: Access
  teams: Pick<Teams, 'findTeam' | 'findProjectGuard'>
  firing: Firing
  notifications: Notifications
  fits: (experiment: StoredExperiment, filters: readonly Filter[]) => boolean
  linkOrigin: string
  clock: Clock
  wake: () => void
}) {
  const { db, access, teams, firing, notifications, clock } = deps
  const cache = new Map<string, { rules: Promise<StoredRule[]>; at: number }>()

  /** Enabled rules of a team; remembered, as every line asks. */
  async function enabledRules(teamId: string): Promise<readonly StoredRule[]> {
    const now = clock.now().getTime()
    let entry = cache.get(teamId)
    if (!entry || now - entry.at > cacheMs) {
      const rules = listRules(db, teamId).then((all) => all.filter(({ enabled }) => enabled))
      entry = { rules, at: now }
      cache.set(teamId, entry)
      rules.catch(() => cache.delete(teamId))
    }
    return await entry.rules
  }

  async function teamGuard(slug: string): Promise<(Guarded & { id: string; slug: string }) | undefined> {
    const team = await teams.findTeam(slug)
    return (
      team && { id: team.id, slug: team.slug, teamId: team.id, ownerId: null, kind: 'team', label: team.slug }
    )
  }

  /** Where a project, a team or a rule is, by its id and whoever asks: the caller proves that the actor may know. */
  async function placeOf(
    kind: 'project' | 'team' | 'rule',
    id: string,
  ): Promise<{ team: string; project: string | null } | undefined> {
    return await findPlace(db, kind, id)
  }

  /** The team's rules and the actor's own; of one project also those for all. */
  async function list(actor: Actor, slug: string, project?: string): Promise<AlertRule[]> {
    const team = await access.allowed(actor, 'team:read', teamGuard(slug))
    const found =
      project === undefined
        ? undefined
        : await access.allowed(actor, 'project:read', teams.findProjectGuard(slug, project))
    const rules = await listRules(db, team.id)
    const visible = await visibleProjectIds(actor, team.id)
    return rules
      .filter(({ projectId }) => projectId === null || visible.has(projectId))
      .filter(({ ownerId }) => ownerId === null || ownerId === actor.userId)
      .filter(({ projectId }) => found === undefined || projectId === null || projectId === found.id)
      .map(presentRule)
  }

  async function visibleProjectIds(actor: Actor, teamId: string): Promise<Set<string>> {
    const rows = await db
      .selectFrom('projects as p')
      .select('p.id')
      .where('p.team_id', '=', teamId)
      .where(await access.visibleProjects(actor))
      .execute()
    return new Set(rows.map(({ id }) => id))
  }

  async function create(actor: Actor, slug: string, input: RuleInput): Promise<AlertRule> {
    const team = await teamGuard(slug)
    const isMine = input.reach === 'mine'
    await access.allowed(
      actor,
      isMine ? 'alert:subscribe' : 'alert:manage',
      team && { ...team, ownerId: isMine ? actor.userId : null },
    )
    const columns = await columnsOf(actor, team!, input)
    if ((await listRules(db, team!.id)).length >= rulesMax)
      throw new GridError('conflict', `${slug} has ${rulesMax} rules already; delete one first.`)
    const id = newId(clock.now().getTime())
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('alert_rules')
        .values({
          id,
          team_id: team!.id,
          owner_id: isMine ? actor.userId : null,
          ...columns,
          created_by: actor.userId,
          created_at: clock.now(),
          updated_at: clock.now(),
        })
        .execute()
      await noted(trx, actor, 'create', { id, teamId: team!.id, name: input.name })
    })
    cache.delete(team!.id)
    return presentRule((await findRule(db, id))!)
  }

  async function change(
    actor: Actor,
    slug: string,
    ruleId: string,
    input: Partial<Omit<RuleInput, 'reach'>>,
  ): Promise<AlertRule> {
    const { rule, team } = await own(actor, slug, ruleId)
    const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
    const whole = { ...presentRule(rule), ...given } as RuleInput
    const columns = await columnsOf(actor, team, whole)
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('alert_rules')
        .set({ ...columns, updated_at: clock.now() })
        .where('id', '=', rule.id)
        .execute()
      await noted(trx, actor, 'change', { ...rule, name: whole.name })
    })
    cache.delete(rule.teamId)
    return presentRule((await findRule(db, rule.id)) ?? gone())
  }

  async function remove(actor: Actor, slug: string, ruleId: string): Promise<void> {
    const { rule } = await own(actor, slug, ruleId)
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('alert_rules').where('id', '=', rule.id).execute()
      await noted(trx, actor, 'delete', rule)
    })
    cache.delete(rule.teamId)
  }

  /** Sends what the rule would send: to its channels, and to the actor instead of its people. */
  async function test(actor: Actor, slug: string, ruleId: string): Promise<{ deliveries: number }> {
    const { rule, team } = await own(actor, slug, ruleId)
    const path = `/teams/${encodeURIComponent(team.slug)}/alerts`
    const alarm = {
      id: '',
      title: `Test: ${rule.title || rule.name}`,
      text: rule.message || `This is how the rule “${rule.name}” will reach you.`,
      level: rule.level,
      team: team.slug,
      project: rule.project,
      experiment: null,
      url: `${deps.linkOrigin}${path}`,
      rule: { id: rule.id, name: rule.name },
      createdAt: clock.now().toISOString(),
      details: { event: 'test' },
    }
    const deliveries = await db.transaction().execute(async (trx) => {
      if (rule.audience !== 'nobody' && actor.userId !== null)
        await notifications.tell(
          trx,
          { ...alarm, teamId: team.id, kind: 'rule', link: path, mail: mailOf(alarm) },
          [actor.userId],
        )
      return await firing.deliver(trx, team.id, rule.channelIds, alarm, rule)
    })
    notifications.committed()
    deps.wake()
    return { deliveries }
  }

  /** The rule, if the actor keeps it: a team's as its admin, a personal one as its owner. */
  async function own(actor: Actor, slug: string, ruleId: string) {
    const team = await teamGuard(slug)
    const rule = team && (await findRule(db, ruleId))
    const found = rule && rule.teamId === team.id ? rule : undefined
    if (found && found.ownerId !== null) {
      // Personal rules of others do not exist for anybody.
      const mine = found.ownerId === actor.userId ? { ...team!, ownerId: actor.userId } : undefined
      await access.allowed(actor, 'alert:subscribe', mine)
    } else
      await access.allowed(
        actor,
        'alert:manage',
        found && { ...team!, kind: 'alert rule', label: found.name },
      )
    return { rule: found!, team: team! }
  }

  /** Checks what the contract cannot, and makes columns of it. */
  async function columnsOf(actor: Actor, team: { id: string; slug: string }, input: RuleInput) {
    const project =
      input.project === null
        ? undefined
        : await access.allowed(actor, 'project:read', teams.findProjectGuard(team.slug, input.project))
    const { condition } = input
    if (condition.kind === 'regression' && condition.baseline !== null && !project)
      throw new GridError('invalid', 'A pinned baseline belongs to one project: choose the project too.')
    if (condition.kind === 'artifact') {
      if (condition.collection !== null && !project)
        throw new GridError('invalid', 'A collection belongs to one project: choose the project too.')
      checkArtifactFilters(input.filters)
    } else checkFilters(input.filters)
    if (input.payload && JSON.stringify(input.payload).length > payloadBytesMax)
      throw new GridError('invalid', `A payload has ${payloadBytesMax} characters at most.`)
    if (input.reach === 'mine' && input.channelIds.length > 0)
      throw new GridError('invalid', 'A personal rule tells you alone; channels are for rules of the team.')
    const known = new Set((await listChannels(db, team.id)).map(({ id }) => id))
    const unknown = input.channelIds.find((id) => !known.has(id))
    if (unknown !== undefined)
      throw new GridError('invalid', `There is no channel ${unknown} in ${team.slug}.`)
    return {
      project_id: project?.id ?? null,
      name: input.name,
      description: input.description,
      enabled: input.enabled,
      condition: JSON.stringify(condition),
      filters: JSON.stringify(input.filters),
      audience: input.reach === 'mine' ? ('me' as const) : input.audience,
      channel_ids: [...new Set(input.channelIds)],
      level: input.level,
      wait_seconds: input.waitSeconds,
      title: input.title,
      message: input.message,
      payload: input.payload && JSON.stringify(input.payload),
    }
  }

  /** The filters are tried on an experiment without anything, so that what cannot be is refused now and not later. */
  function checkFilters(filters: readonly Filter[]): void {
    const now = clock.now()
    deps.fits(
      {
        name: '',
        slug: '',
        state: 'running',
        createdBy: { username: '' },
        tags: [],
        notes: '',
        config: {},
        summary: {},
        createdAt: now,
        heartbeatAt: now,
        endedAt: null,
      } as unknown as StoredExperiment,
      filters,
    )
    for (const { op } of filters)
      if (op === 'regex')
        throw new GridError('invalid', 'A rule takes no regular expression; use "contains".')
  }

  async function noted(
    trx: Db,
    actor: Actor,
    what: 'create' | 'change' | 'delete',
    rule: { id: string; teamId: string; name: string },
  ): Promise<void> {
    await record(trx, actor, 'alert:manage', {
      teamId: rule.teamId,
      kind: 'alert rule',
      id: rule.id,
      details: { what, name: rule.name },
    })
  }

  return { enabledRules, teamGuard, placeOf, list, create, change, remove, test, own }
}

function gone(): never {
  throw new GridError('not_found', 'This rule was deleted.')
}
