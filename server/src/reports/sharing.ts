/** Links with which anybody reads what is published of a report, and nothing beside it. */
import {
  type Curve,
  type ExperimentRow,
  GridError,
  readReport,
  type ReportLink,
  type RunSet,
  runSetExperimentsMax,
  type SharedReport,
} from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { hashOf, newToken } from '../lib/secrets.ts'
import type { ReportsDeps } from './deps.ts'
import { guardIn, noted, type Permission } from './permission.ts'
import { findByToken, type StoredView } from './store.ts'

const linksMax = 20

export function createSharing(
  { db, access, teams, experiments, sealed, clock }: ReportsDeps,
  { found }: Permission,
) {
  async function links(actor: Actor, id: string): Promise<ReportLink[]> {
    const { view } = await found(actor, id, 'report:edit')
    return await linksOf(view, actor.origin)
  }

  async function createLink(actor: Actor, id: string): Promise<ReportLink> {
    const { view, guard } = await found(actor, id, 'report:edit')
    if (!view.isPublished)
      throw new GridError('conflict', 'Publish the report first: a link shows what is published.')
    if ((await linksOf(view, actor.origin)).length >= linksMax)
      throw new GridError('conflict', `A report has ${linksMax} links at most; end one first.`)
    const linkId = newId(clock.now().getTime())
    const token = newToken()
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('report_links')
        .values({
          id: linkId,
          view_id: view.id,
          token_hash: hashOf(token),
          token: sealed.seal(token, linkContext(linkId)),
          created_by: actor.userId,
          created_at: clock.now(),
        })
        .execute()
      await noted(trx, actor, 'report:edit', { ...guard, id: view.id, title: `${view.title}: link` })
    })
    return (await linksOf(view, actor.origin)).find((link) => link.id === linkId)!
  }

  async function revokeLink(actor: Actor, id: string, linkId: string): Promise<void> {
    const { view, guard } = await found(actor, id, 'report:edit')
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('report_links')
        .set({ revoked_at: clock.now() })
        .where('id', '=', linkId)
        .where('view_id', '=', view.id)
        .execute()
      await noted(trx, actor, 'report:edit', { ...guard, id: view.id, title: `${view.title}: link ended` })
    })
  }

  async function linksOf(view: StoredView, origin: string): Promise<ReportLink[]> {
    const rows = await db
      .selectFrom('report_links')
      .selectAll()
      .where('view_id', '=', view.id)
      .where('revoked_at', 'is', null)
      .orderBy('id')
      .execute()
    return rows.map((row) => {
      const token = sealed.open(row.token, linkContext(row.id))
      return { id: row.id, url: `${origin}/shared/${token}`, createdAt: row.created_at.toISOString() }
    })
  }

  /** What is published, for whoever has the link; the report's own project only, whatever its panels name. */
  async function shared(actor: Actor, token: string): Promise<SharedReport> {
    const { view } = await byLink(actor, token)
    return {
      title: view.title,
      description: view.description,
      spec: view.spec,
      author: view.createdBy.name || view.createdBy.username,
      updatedAt: view.updatedAt.toISOString(),
      team: view.team,
      project: view.project,
    }
  }

  async function sharedPanels(
    actor: Actor,
    token: string,
    index: number,
  ): Promise<{ rows: ExperimentRow[]; curves: Curve[] }> {
    const { view } = await byLink(actor, token)
    const block = readReport(view.spec)[index]
    if (block?.kind !== 'panels') throw new GridError('not_found')
    const keys = [...new Set(block.panels.flatMap(({ metrics }) => metrics))].slice(0, 100)
    const rows: ExperimentRow[] = []
    for (const set of block.runSets.filter((each) => each.enabled && isOwn(each, view))) {
      const found = await experiments.shown.query(view.projectId, {
        ...queryOf(set),
        columns: keys.map((key) => `summary.${key}`),
      })
      rows.push(...found.filter(({ id }) => rows.every((row) => row.id !== id)))
    }
    const lines = block.panels.filter(({ kind }) => kind === 'line')
    const curves: Curve[] = []
    for (const x of new Set(lines.map((panel) => panel.x)))
      curves.push(
        ...(await experiments.shown.curves(view.projectId, {
          experimentIds: rows.map(({ id }) => id),
          keys: [...new Set(lines.filter((panel) => panel.x === x).flatMap(({ metrics }) => metrics))],
          x,
          pointsMax: 600,
        })),
      )
    return { rows, curves }
  }

  async function byLink(actor: Actor, token: string) {
    const view = await findByToken(db, hashOf(token))
    if (!view?.isPublished) throw new GridError('not_found', 'This link is not valid, or was ended')
    const place = await teams.findProjectGuard(view.team, view.project)
    await access.allowed(actor, 'link:open', place && { ...guardIn(place, view), openedByLink: true })
    return { view }
  }

  return { links, createLink, revokeLink, shared, sharedPanels }
}

function isOwn(set: RunSet, view: StoredView): boolean {
  const same = (given: string | null, own: string) =>
    given === null || given.toLowerCase() === own.toLowerCase()
  return same(set.team, view.team) && same(set.project, view.project)
}

function queryOf({ search, filters, sort }: RunSet) {
  return { search, filters, sort, limit: runSetExperimentsMax }
}

function linkContext(id: string): string {
  return `report-link:${id}`
}
