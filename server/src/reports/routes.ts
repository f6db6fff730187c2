import { os } from '../http/route.ts'
import type { Reports } from './service.ts'

const ok = { ok: true } as const

/** Endpoint → use case, one line each. */
export const reportRoutes = (reports: Reports) => ({
  list: os.reports.list.handler(({ context, input }) =>
    reports.list(context.actor, input.team, input.project),
  ),
  create: os.reports.create.handler(({ context, input: { team, project, ...report } }) =>
    reports.create(context.actor, team, project, report),
  ),
  get: os.reports.get.handler(({ context, input }) => reports.get(context.actor, input.reportId)),
  save: os.reports.save.handler(({ context, input: { reportId, ...report } }) =>
    reports.save(context.actor, reportId, report),
  ),
  discard: os.reports.discard.handler(({ context, input }) => reports.discard(context.actor, input.reportId)),
  share: os.reports.share.handler(({ context, input }) =>
    reports.share(context.actor, input.reportId, input.share),
  ),
  delete: os.reports.delete.handler(async ({ context, input }) => {
    await reports.remove(context.actor, input.reportId)
    return ok
  }),
  follow: os.reports.follow.handler(async ({ context, input }) => {
    await reports.follow(context.actor, input.reportId, input.follow)
    return ok
  }),
  comments: os.reports.comments.handler(({ context, input }) =>
    reports.comments(context.actor, input.reportId),
  ),
  comment: os.reports.comment.handler(({ context, input }) =>
    reports.comment(context.actor, input.reportId, input.text),
  ),
  deleteComment: os.reports.deleteComment.handler(async ({ context, input }) => {
    await reports.deleteComment(context.actor, input.reportId, input.commentId)
    return ok
  }),
  links: os.reports.links.handler(({ context, input }) => reports.links(context.actor, input.reportId)),
  createLink: os.reports.createLink.handler(({ context, input }) =>
    reports.createLink(context.actor, input.reportId),
  ),
  revokeLink: os.reports.revokeLink.handler(async ({ context, input }) => {
    await reports.revokeLink(context.actor, input.reportId, input.linkId)
    return ok
  }),
  shared: os.reports.shared.handler(({ context, input }) => reports.shared(context.actor, input.token)),
  sharedPanels: os.reports.sharedPanels.handler(({ context, input }) =>
    reports.sharedPanels(context.actor, input.token, input.block),
  ),
})
