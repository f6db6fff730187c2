/** Who wants to hear of a report, and what they are told. */
import type { Actor } from '../actor.ts'
import type { Notice } from '../alerts/service.ts'
import type { ReportsDeps } from './deps.ts'
import { findView, type StoredView } from './store.ts'

export type Followers = ReturnType<typeof createFollowers>

export function createFollowers({ db, teams, linkOrigin }: Pick<ReportsDeps, 'db' | 'teams' | 'linkOrigin'>) {
  /** Who follows and may still read it, but for who acts. */
  async function followersOf(viewId: string, actor: Actor): Promise<string[]> {
    const view = await findView(db, viewId)
    if (!view) return []
    const place = await teams.findProjectGuard(view.team, view.project)
    const rows = await db
      .selectFrom('report_follows as f')
      .innerJoin('users as u', 'u.id', 'f.user_id')
      .leftJoin('memberships as m', (join) =>
        join.onRef('m.user_id', '=', 'u.id').on('m.team_id', '=', view.teamId),
      )
      .select(['f.user_id', 'm.role'])
      .where('f.view_id', '=', viewId)
      .execute()
    return rows
      .filter(({ user_id }) => user_id !== actor.userId)
      .filter(
        ({ user_id, role }) =>
          place?.visibility !== 'private' ||
          role === 'admin' ||
          [place.ownerId, place.keptById].includes(user_id),
      )
      .map(({ user_id }) => user_id)
  }

  function noticeOf(view: StoredView, title: string, text: string): Notice {
    const path = `/${[view.team, view.project, 'reports', view.id].map(encodeURIComponent).join('/')}`
    return {
      teamId: view.teamId,
      kind: 'report',
      level: 'info',
      title,
      text,
      link: path,
      mail: {
        subject: `[${view.team}] ${title}`,
        paragraphs: [title, text].filter(Boolean),
        facts: [
          ['Report', view.title],
          ['Project', `${view.team}/${view.project}`],
        ],
        ...(linkOrigin ? { button: { label: 'Open', url: `${linkOrigin}${path}` } } : {}),
        footer: ['You follow this report. Stop following it on its page.'],
      },
    }
  }

  return { followersOf, noticeOf }
}
