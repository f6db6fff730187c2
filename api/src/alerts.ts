import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput } from './base.ts'
import { Filter } from './experiments.ts'

/** What people are told about. The defaults of `defaultPreferences` say how, until they choose. */
export const notificationKinds = ['script', 'failure', 'finish', 'rule', 'report', 'act', 'budget'] as const
export const NotificationKind = z.enum(notificationKinds)
export type NotificationKind = z.infer<typeof NotificationKind>

const Ways = z.object({ app: z.boolean(), email: z.boolean() })
export const NotificationPreferences = z.record(NotificationKind, Ways)
export type NotificationPreferences = Record<NotificationKind, z.infer<typeof Ways>>

export const defaultPreferences: NotificationPreferences = {
  script: { app: true, email: true },
  failure: { app: true, email: false },
  finish: { app: false, email: false },
  rule: { app: true, email: true },
  report: { app: true, email: true },
  act: { app: true, email: false },
  budget: { app: true, email: true },
}

export const AlertLevel = z.enum(['info', 'warn', 'error'])

export const Notification = z.object({
  id: Id,
  kind: NotificationKind,
  level: AlertLevel,
  team: z.string(),
  title: z.string(),
  text: z.string(),
  /** A path of the web app. */
  link: z.string().nullable(),
  createdAt: Instant,
  readAt: Instant.nullable(),
})
export type Notification = z.infer<typeof Notification>

export const notifications = {
  list: endpoint
    .route({ method: 'GET', path: '/me/notifications', summary: 'What I was told', tags: ['notifications'] })
    .input(PageInput.extend({ unread: z.stringbool().or(z.boolean()).optional() }))
    .output(page(Notification).extend({ unread: z.number() })),
  read: endpoint
    .route({
      method: 'POST',
      path: '/me/notifications/read',
      summary: 'Mark as read: those named, or all',
      tags: ['notifications'],
    })
    .input(z.object({ ids: z.array(Id).max(500).optional() }))
    .output(z.object({ unread: z.number() })),
  preferences: endpoint
    .route({
      method: 'GET',
      path: '/me/notifications/preferences',
      summary: 'How I want to be told of what',
      tags: ['notifications'],
    })
    .output(z.object({ preferences: NotificationPreferences, mailIsOn: z.boolean() })),
  prefer: endpoint
    .route({
      method: 'PATCH',
      path: '/me/notifications/preferences',
      summary: 'Choose how to be told; kinds not named stay',
      tags: ['notifications'],
    })
    .input(z.object({ preferences: z.partialRecord(NotificationKind, Ways) }))
    .output(z.object({ preferences: NotificationPreferences, mailIsOn: z.boolean() })),
}

const Metric = z.string().trim().min(1).max(1000)
const aggregate = {
  /** Of the last `windowValues` logged values; null: of the newest alone. */
  aggregate: z.enum(['average', 'min', 'max']).nullable().default(null),
  windowValues: z.number().int().min(1).max(500).default(1),
}
const direction = z.enum(['increase', 'decrease', 'any'])

/** When a rule speaks. Metrics are keys of history, as logged. */
export const AlertCondition = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('threshold'),
    metric: Metric,
    operator: z.enum(['gt', 'gte', 'lt', 'lte']),
    value: z.number(),
    ...aggregate,
  }),
  /** The newest window compared with the one before it. */
  z.object({
    kind: z.literal('change'),
    metric: Metric,
    direction: direction.default('any'),
    by: z.enum(['absolute', 'relative']).default('relative'),
    /** In the metric's own unit, or as a fraction: 0.1 is ten per cent. */
    amount: z.number().positive(),
    ...aggregate,
    priorValues: z.number().int().min(1).max(500).default(1),
  }),
  /** The newest value lies this many standard deviations off the mean of those before it. */
  z.object({
    kind: z.literal('zscore'),
    metric: Metric,
    direction: direction.default('any'),
    deviations: z.number().positive().default(3),
    windowValues: z.number().int().min(2).max(500).default(30),
  }),
  /** NaN or infinite. */
  z.object({ kind: z.literal('nonfinite'), metric: Metric }),
  /** A finished experiment is worse than the best of its project, or than one that was pinned. */
  z.object({
    kind: z.literal('regression'),
    metric: Metric,
    goal: z.enum(['minimize', 'maximize']),
    /** The slug of an experiment in the rule's project; null: the best there is. */
    baseline: z.string().min(1).max(128).nullable().default(null),
    /** How much worse is still fine, as a fraction of the baseline. */
    tolerance: z.number().min(0).max(100).default(0),
  }),
  z.object({
    kind: z.literal('state'),
    states: z
      .array(z.enum(['finished', 'failed', 'crashed', 'killed']))
      .min(1)
      .max(4),
  }),
  /** No sign of life; after 300 seconds an experiment counts as crashed. */
  z.object({ kind: z.literal('silent'), seconds: z.number().int().min(60).max(300) }),
  /** What scripts report with `wandb.alert`, of these levels. */
  z.object({ kind: z.literal('script'), levels: z.array(AlertLevel).min(1).max(3) }),
  /** Something happens to a version or a collection of artifacts; the filters of the rule are on `alias` and `tag`. */
  z.object({
    kind: z.literal('artifact'),
    event: z.enum([
      'created',
      'linked',
      'unlinked',
      'alias-added',
      'tag-added',
      'tag-removed',
      'collection-tag-added',
      'collection-tag-removed',
    ]),
    /** By name, in the rule's project; null: any. */
    collection: z.string().trim().min(1).max(128).nullable().default(null),
  }),
])
export type AlertCondition = z.infer<typeof AlertCondition>

const RuleFields = z.object({
  name: z.string().trim().min(1).max(255),
  description: z.string().max(5000).default(''),
  /** Null: every project of the team. */
  project: z.string().nullable().default(null),
  enabled: z.boolean().default(true),
  condition: AlertCondition,
  /** Only for experiments that fit all of these. */
  filters: z.array(Filter).max(20).default([]),
  /** Who is told personally: nobody, the owner of the experiment, or everybody in the team. */
  audience: z.enum(['nobody', 'owner', 'team']).default('owner'),
  channelIds: z.array(Id).max(20).default([]),
  level: AlertLevel.default('warn'),
  /** Once per experiment in this time. */
  waitSeconds: z
    .number()
    .int()
    .min(0)
    .max(30 * 24 * 3600)
    .default(3600),
  /** Instead of our own words. */
  title: z.string().max(255).nullable().default(null),
  message: z.string().max(10_000).nullable().default(null),
  /** What generic webhooks get instead of the usual body; `${run_name}` and the like are filled in. */
  payload: z.record(z.string(), z.unknown()).nullable().default(null),
})

export const AlertRule = RuleFields.extend({
  id: Id,
  /** `mine` tells me alone; `team` is kept by the team's admins. */
  reach: z.enum(['team', 'mine']),
  createdBy: z.string().nullable(),
  createdAt: Instant,
  updatedAt: Instant,
  lastFiredAt: Instant.nullable(),
})
export type AlertRule = z.infer<typeof AlertRule>

export const AlertChannel = z.object({
  id: Id,
  name: z.string(),
  kind: z.enum(['email', 'slack', 'webhook']),
  /** What may be shown of the target: addresses, or a shortened url. */
  hint: z.string(),
  createdAt: Instant,
})
export type AlertChannel = z.infer<typeof AlertChannel>

export const AlertDelivery = z.object({
  id: Id,
  channel: z.string(),
  kind: z.enum(['email', 'slack', 'webhook']),
  rule: z.string().nullable(),
  title: z.string(),
  state: z.enum(['waiting', 'sent', 'failed', 'skipped']),
  tries: z.number(),
  httpStatus: z.number().nullable(),
  error: z.string().nullable(),
  createdAt: Instant,
  doneAt: Instant.nullable(),
})
export type AlertDelivery = z.infer<typeof AlertDelivery>

const team = z.object({ team: z.string() })
const oneRule = team.extend({ ruleId: Id })
const oneChannel = team.extend({ channelId: Id })
const rulesPath = '/teams/{team}/alert-rules'
const channelsPath = '/teams/{team}/alert-channels'
const tags = ['alerts']

export const alerts = {
  rules: endpoint
    .route({ method: 'GET', path: rulesPath, summary: 'Rules of the team, and mine', tags })
    .input(team.extend({ project: z.string().optional() }))
    .output(z.array(AlertRule)),
  createRule: endpoint
    .route({ method: 'POST', path: rulesPath, summary: 'Make a rule for the team, or for oneself', tags })
    .input(team.extend(RuleFields.shape).extend({ reach: z.enum(['team', 'mine']).default('team') }))
    .output(AlertRule),
  changeRule: endpoint
    .route({ method: 'PATCH', path: `${rulesPath}/{ruleId}`, summary: 'Change what is given', tags })
    .input(oneRule.extend(withoutDefaults(RuleFields.shape)))
    .output(AlertRule),
  deleteRule: endpoint
    .route({ method: 'DELETE', path: `${rulesPath}/{ruleId}`, summary: 'Delete a rule', tags })
    .input(oneRule)
    .output(Ok),
  testRule: endpoint
    .route({
      method: 'POST',
      path: `${rulesPath}/{ruleId}/test`,
      summary: 'Send what the rule would send to its channels, and to me instead of its people',
      tags,
    })
    .input(oneRule)
    .output(z.object({ deliveries: z.number() })),
  channels: endpoint
    .route({ method: 'GET', path: channelsPath, summary: 'Where alerts of the team can go', tags })
    .input(team)
    .output(z.array(AlertChannel)),
  createChannel: endpoint
    .route({
      method: 'POST',
      path: channelsPath,
      summary: 'Add addresses, a Slack-compatible hook, or a signed webhook, whose secret is shown once',
      tags,
    })
    .input(
      team.extend({
        name: z.string().trim().min(1).max(64),
        kind: z.enum(['email', 'slack', 'webhook']),
        /** Addresses separated by commas, or a url. */
        target: z.string().trim().min(1).max(2000),
      }),
    )
    .output(AlertChannel.extend({ secret: z.string().nullable() })),
  deleteChannel: endpoint
    .route({ method: 'DELETE', path: `${channelsPath}/{channelId}`, summary: 'Remove a channel', tags })
    .input(oneChannel)
    .output(Ok),
  testChannel: endpoint
    .route({ method: 'POST', path: `${channelsPath}/{channelId}/test`, summary: 'Send a test message', tags })
    .input(oneChannel)
    .output(Ok),
  deliveries: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/alert-deliveries',
      summary: 'What was sent where, newest first',
      tags,
    })
    .input(team.extend(PageInput.shape))
    .output(page(AlertDelivery)),
}

/** For changes: what is not given stays, instead of becoming the default. */
function withoutDefaults<Shape extends Record<string, z.ZodType>>(shape: Shape) {
  return Object.fromEntries(
    Object.entries(shape).map(([key, field]) => [
      key,
      (field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType) : field).optional(),
    ]),
  ) as {
    [Key in keyof Shape]: z.ZodOptional<Shape[Key] extends z.ZodDefault<infer Inner> ? Inner : Shape[Key]>
  }
}
