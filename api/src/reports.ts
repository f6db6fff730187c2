import { z } from 'zod'
import { endpoint, Id, Instant, Ok } from './base.ts'
import { Curve, ExperimentRow } from './experiments.ts'
import { reportSpecBytesMax } from './report-spec.ts'
import { Person } from './teams.ts'

const Title = z.string().trim().min(1).max(255)
const Description = z.string().max(5000)
/** The wandb client's JSON; `readReport` says what is in it. */
const Spec = z.string().max(reportSpecBytesMax)

/** A line of the list. */
export const ReportSummary = z.object({
  id: Id,
  team: z.string(),
  project: z.string(),
  title: z.string(),
  description: z.string(),
  createdBy: Person,
  createdById: Id,
  isPublished: z.boolean(),
  /** Changes that are not published; only told to those who may edit. */
  hasDraft: z.boolean(),
  comments: z.number(),
  createdAt: Instant,
  updatedAt: Instant,
})
export type ReportSummary = z.infer<typeof ReportSummary>

export const Report = ReportSummary.extend({
  spec: z.string(),
  /** Only for those who may edit. */
  draft: z.object({ title: z.string(), description: z.string(), spec: z.string() }).nullable(),
  /** Hand it back when saving: who saves over somebody else's changes is told. */
  version: z.number(),
  updatedBy: Person.nullable(),
  /** `edit`: members of the team edit it too. */
  share: z.enum(['none', 'edit']),
  isFollowed: z.boolean(),
  mayEdit: z.boolean(),
})
export type Report = z.infer<typeof Report>

export const ReportComment = z.object({
  id: Id,
  author: Person,
  text: z.string(),
  createdAt: Instant,
  isMine: z.boolean(),
})
export type ReportComment = z.infer<typeof ReportComment>

export const ReportLink = z.object({ id: Id, url: z.string(), createdAt: Instant })
export type ReportLink = z.infer<typeof ReportLink>

/** What the bearer of a share link sees: the report, and nothing beside it. */
export const SharedReport = z.object({
  title: z.string(),
  description: z.string(),
  spec: z.string(),
  author: z.string(),
  updatedAt: Instant,
  project: z.string(),
  team: z.string(),
})
export type SharedReport = z.infer<typeof SharedReport>

const inProject = z.object({ team: z.string(), project: z.string() })
const one = z.object({ reportId: Id })
const tags = ['reports']

export const reports = {
  list: endpoint
    .route({
      method: 'GET',
      path: '/projects/{team}/{project}/reports',
      summary: 'Reports of a project',
      tags,
    })
    .input(inProject)
    .output(z.array(ReportSummary)),
  create: endpoint
    .route({ method: 'POST', path: '/projects/{team}/{project}/reports', summary: 'Begin a report', tags })
    .input(
      inProject.extend({
        title: Title,
        description: Description.default(''),
        spec: Spec.optional(),
        publish: z.boolean().default(false),
      }),
    )
    .output(Report),
  get: endpoint
    .route({ method: 'GET', path: '/reports/{reportId}', summary: 'A report', tags })
    .input(one)
    .output(Report),
  save: endpoint
    .route({
      method: 'PUT',
      path: '/reports/{reportId}',
      summary: 'Save as draft, or publish; refused as conflict when somebody saved since `version`',
      tags,
    })
    .input(
      one.extend({
        version: z.number().int(),
        title: Title,
        description: Description,
        spec: Spec,
        publish: z.boolean(),
      }),
    )
    .output(Report),
  discard: endpoint
    .route({
      method: 'DELETE',
      path: '/reports/{reportId}/draft',
      summary: 'Forget what is not published',
      tags,
    })
    .input(one)
    .output(Report),
  share: endpoint
    .route({
      method: 'PUT',
      path: '/reports/{reportId}/share',
      summary: 'Open it for editing by members, or close it',
      tags,
    })
    .input(one.extend({ share: z.enum(['none', 'edit']) }))
    .output(Report),
  delete: endpoint
    .route({ method: 'DELETE', path: '/reports/{reportId}', summary: 'Delete a report', tags })
    .input(one)
    .output(Ok),
  follow: endpoint
    .route({
      method: 'PUT',
      path: '/reports/{reportId}/follow',
      summary: 'Hear of comments and news, or not',
      tags,
    })
    .input(one.extend({ follow: z.boolean() }))
    .output(Ok),
  comments: endpoint
    .route({ method: 'GET', path: '/reports/{reportId}/comments', summary: 'Comments, oldest first', tags })
    .input(one)
    .output(z.array(ReportComment)),
  comment: endpoint
    .route({ method: 'POST', path: '/reports/{reportId}/comments', summary: 'Comment', tags })
    .input(one.extend({ text: z.string().trim().min(1).max(10_000) }))
    .output(ReportComment),
  deleteComment: endpoint
    .route({
      method: 'DELETE',
      path: '/reports/{reportId}/comments/{commentId}',
      summary: 'Delete one’s own comment',
      tags,
    })
    .input(one.extend({ commentId: Id }))
    .output(Ok),
  links: endpoint
    .route({
      method: 'GET',
      path: '/reports/{reportId}/links',
      summary: 'Links with which anybody reads it',
      tags,
    })
    .input(one)
    .output(z.array(ReportLink)),
  createLink: endpoint
    .route({ method: 'POST', path: '/reports/{reportId}/links', summary: 'Make a share link', tags })
    .input(one)
    .output(ReportLink),
  revokeLink: endpoint
    .route({
      method: 'DELETE',
      path: '/reports/{reportId}/links/{linkId}',
      summary: 'End a share link',
      tags,
    })
    .input(one.extend({ linkId: Id }))
    .output(Ok),
  shared: endpoint
    .route({ method: 'POST', path: '/shared/report', summary: 'A report by its share link', tags })
    .input(z.object({ token: z.string().max(200) }))
    .output(SharedReport),
  sharedPanels: endpoint
    .route({
      method: 'POST',
      path: '/shared/report/panels',
      summary: 'What the panels of one block of a shared report show',
      tags,
    })
    .input(z.object({ token: z.string().max(200), block: z.number().int().min(0).max(5000) }))
    .output(z.object({ rows: z.array(ExperimentRow), curves: z.array(Curve) })),
}
