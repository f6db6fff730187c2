/** Reading the audit log: who did what to what, when, from where and by which key. */
import { type AuditEntry, type AuditFilter, GridError, Id } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { createAuditChain, headOf, organisationChain } from './audit-chain.ts'
import { type AuditReach, listAudit } from './audit-store.ts'
import type { TeamsDeps } from './service.ts'
import { createTeamSettings } from './settings.ts'

/** Rows read at a time when a whole log is streamed. */
const exportPage = 1000

export function createAudit(deps: TeamsDeps) {
  const { db, access } = deps
  const { teamGuard } = createTeamSettings(deps)
  const chain = createAuditChain({ db })

  /** Admins see all of their team, members what they did themselves. */
  async function teamReach(actor: Actor, slug: string): Promise<AuditReach & { teamId: string }> {
    const team = await teamGuard(slug)
    if (team !== undefined && (await access.permits(actor, 'audit:read', team))) return { teamId: team.id }
    await access.allowed(actor, 'team:read', team)
    await access.allowed(actor, 'audit:read', { ...team!, ownerId: actor.userId })
    return { teamId: team!.id, ...(actor.userId === null ? {} : { actorUserId: actor.userId }) }
  }

  async function organisationReach(actor: Actor): Promise<AuditReach> {
    await access.proveInOrganisation(actor, 'org:audit')
    return { userId: actor.userId }
  }

  async function teamAudit(actor: Actor, slug: string, input: AuditFilter & Range) {
    return await pageOf(await teamReach(actor, slug), input)
  }

  async function organisationAudit(actor: Actor, input: AuditFilter & Range) {
    return await pageOf(await organisationReach(actor), input)
  }

  async function pageOf(reach: AuditReach, { limit, cursor, ...filter }: AuditFilter & Range) {
    if (cursor !== undefined && !Id.safeParse(cursor).success)
      throw new GridError('invalid', 'This cursor is not one that was handed out')
    const rows = await listAudit(db, reach, {
      ...filter,
      limit: limit + 1,
      ...(cursor ? { before: cursor } : {}),
    })
    const items = rows.slice(0, limit)
    return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null }
  }

  /**
   * Everything that fits the filter, newest first, read page by page. Taking it away is itself a line of the log.
   *
   * @param slug a team; undefined for the organisation.
   */
  async function exportAudit(
    actor: Actor,
    slug: string | undefined,
    filter: AuditFilter,
  ): Promise<AsyncGenerator<AuditEntry[]>> {
    const reach = slug === undefined ? await organisationReach(actor) : await teamReach(actor, slug)
    await chain.seal()
    const teamId = 'teamId' in reach ? reach.teamId : null
    await record(db, actor, 'audit:export', {
      teamId,
      kind: teamId === null ? 'organisation' : 'team',
      id: teamId ?? 'organisation',
      details: { ...filter },
    })
    return pages(reach, filter)
  }

  async function* pages(reach: AuditReach, filter: AuditFilter): AsyncGenerator<AuditEntry[]> {
    let before: string | undefined
    for (;;) {
      const rows = await listAudit(db, reach, {
        ...filter,
        limit: exportPage,
        ...(before === undefined ? {} : { before }),
      })
      if (rows.length > 0) yield rows
      if (rows.length < exportPage) return
      before = rows.at(-1)!.id
    }
  }

  /** Proves the hash chain: of a team for its admins, of everything for the organisation's. */
  async function verifyAudit(actor: Actor, input: { team?: string; expect?: string }) {
    const expected = input.expect === undefined ? undefined : headOf(input.expect)
    if (input.team === undefined) {
      await access.proveInOrganisation(actor, 'org:audit')
      return presentVerdict(await chain.verify(expected ? organisationChain : undefined, expected))
    }
    const team = await access.allowed(actor, 'audit:read', teamGuard(input.team))
    return presentVerdict(await chain.verify(team.id, expected))
  }

  async function presentVerdict(verdict: Awaited<ReturnType<typeof chain.verify>>) {
    const teams = await db.selectFrom('teams').select(['id', 'slug']).execute()
    const slugs = new Map(teams.map(({ id, slug }) => [id, slug]))
    const named = ({ chain: id, ...rest }: { chain: string; number: number | null }) => ({
      ...rest,
      team: id === organisationChain ? null : (slugs.get(id) ?? id),
    })
    return {
      ok: verdict.problemCount === 0,
      lines: verdict.lines,
      heads: verdict.heads.map((head) => ({ ...head, ...named(head), number: head.number })),
      problems: verdict.problems.map((problem) => ({ says: problem.says, ...named(problem) })),
      problemCount: verdict.problemCount,
    }
  }

  return { teamAudit, organisationAudit, exportAudit, verifyAudit, sealAudit: chain.seal }
}

type Range = { limit: number; cursor?: string }
