import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput } from './base.ts'
import { Person } from './teams.ts'

export const ExperimentState = z.enum([
  'pending',
  'running',
  'finished',
  'failed',
  'crashed',
  'killed',
  'preempting',
  'preempted',
])
export type ExperimentState = z.infer<typeof ExperimentState>
export const endedStates: readonly ExperimentState[] = [
  'finished',
  'failed',
  'crashed',
  'killed',
  'preempted',
]

/** `fork`: goes on from another experiment's step. `rewind`: from its own; the other is what it was before. */
export const BranchKind = z.enum(['fork', 'rewind'])

/** A row of a list: what every view needs of an experiment. */
export const Experiment = z.object({
  id: Id,
  team: z.string(),
  project: z.string(),
  /** Its name in urls, chosen by the client; unique in the project. */
  slug: z.string(),
  /** Its display name. */
  name: z.string(),
  state: ExperimentState,
  stopRequested: z.boolean(),
  exitCode: z.number().nullable(),
  createdBy: Person,
  createdById: Id,
  /** The service account that logged it for `createdBy`. */
  via: Person.nullable(),
  /** It was moved into this project: nobody but its creator and the admins deletes it (row 23). */
  moved: z.boolean(),
  group: z.string().nullable(),
  jobType: z.string().nullable(),
  /** The slug of the sweep it belongs to. */
  sweep: z.string().nullable(),
  tags: z.array(z.string()),
  notes: z.string(),
  createdAt: Instant,
  heartbeatAt: Instant,
  endedAt: Instant.nullable(),
  /** From the start to the end, or to the last sign of life. */
  durationSeconds: z.number(),
  /** Its history up to and including this step is another's; no slug when that one is gone from the project. */
  branchedFrom: z.object({ slug: z.string().nullable(), step: z.number(), kind: BranchKind }).nullable(),
})
export type Experiment = z.infer<typeof Experiment>

/** JSON with "NaN", "Infinity" and "-Infinity" as strings. */
export const Json: z.ZodType<unknown> = z.unknown()

export const ExperimentDetails = Experiment.extend({
  config: z.record(z.string(), Json),
  summary: z.record(z.string(), Json),
  host: z.string().nullable(),
  program: z.string().nullable(),
  git: z.object({ remote: z.string().nullable(), commit: z.string().nullable() }).nullable(),
  command: z.string().nullable(),
  /** Python, operating system, GPUs and the like, as the client reported them. */
  environment: z.record(z.string(), Json),
  /** How each key wants to be drawn, from `define_metric`: pattern or key → x axis key, hidden, goal. */
  metricDefinitions: z.array(
    z.object({
      key: z.string().nullable(),
      glob: z.string().nullable(),
      stepKey: z.string().nullable(),
      hidden: z.boolean(),
      goal: z.enum(['minimize', 'maximize']).nullable(),
    }),
  ),
  historyLines: z.number(),
  consoleLines: z.number(),
  files: z.number(),
  /** Experiments that branch off this one, oldest first. */
  branches: z.array(z.object({ slug: z.string(), name: z.string(), step: z.number(), kind: BranchKind })),
})
export type ExperimentDetails = z.infer<typeof ExperimentDetails>

/** `name`, `state`, `creator`, `created_at`, `duration`, `tags` …, `config.<key>`, `summary.<key>`. */
export const Column = z.string().min(1).max(1000)

export const FilterOperator = z.enum([
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'contains',
  'regex',
  'in',
  'exists',
  'missing',
])
export const Filter = z.object({
  column: Column,
  op: FilterOperator,
  /** A list for `in`; not needed for `exists` and `missing`. */
  value: z
    .union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))])
    .optional(),
})
export type Filter = z.infer<typeof Filter>

export const ExperimentQuery = z.object({
  /** In name, slug, tags or notes; `/…/` is a regular expression. */
  search: z.string().max(500).optional(),
  filters: z.array(Filter).max(50).default([]),
  sort: z
    .array(z.object({ column: Column, descending: z.boolean().default(false) }))
    .max(5)
    .default([]),
  /** Values to bring along for each row. */
  columns: z.array(Column).max(200).default([]),
  offset: z.number().int().min(0).max(10_000_000).default(0),
  limit: z.number().int().min(1).max(1000).default(100),
})
export type ExperimentQuery = z.input<typeof ExperimentQuery>

export const ExperimentRow = Experiment.extend({ values: z.record(z.string(), Json) })
export type ExperimentRow = z.infer<typeof ExperimentRow>

export const KeyInfo = z.object({
  key: z.string(),
  stream: z.enum(['history', 'system']),
  /** `number` is drawn as a curve; `object` is media, a table, text. */
  kind: z.enum(['number', 'object']),
  type: z.string(),
  count: z.number(),
  lastStep: z.number(),
})
export type KeyInfo = z.infer<typeof KeyInfo>

export const Curve = z.object({
  experimentId: Id,
  key: z.string(),
  x: z.array(z.number()),
  y: z.array(z.number()),
  nonFinite: z.array(z.object({ x: z.number(), value: z.enum(['NaN', 'Infinity', '-Infinity']) })),
  points: z.number(),
  /** Up to here, in the unit of x, it is the curve of the experiment that this one branched from. */
  branchX: z.number().nullable(),
})
export type Curve = z.infer<typeof Curve>

export const FileInfo = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  mediaType: z.string(),
  updatedAt: Instant,
  md5Hex: z.string(),
  /** Signed, works without a header for some hours; Range and HEAD are supported. */
  url: z.string(),
})
export type FileInfo = z.infer<typeof FileInfo>

export const MediaItem = z.object({
  key: z.string(),
  step: z.number(),
  timestampSeconds: z.number().nullable(),
  /** The client's `_type`, e.g. `image-file`, `images/separated`, `table-file`, `histogram`, `string`. */
  type: z.string(),
  /** The logged value; media files in it are in `files`. */
  value: Json,
  files: z.array(z.object({ path: z.string(), url: z.string(), caption: z.string().nullable() })),
})
export type MediaItem = z.infer<typeof MediaItem>

export const ConsoleLine = z.object({
  line: z.number(),
  time: Instant.nullable(),
  level: z.enum(['info', 'error']),
  label: z.string(),
  text: z.string(),
})
export type ConsoleLine = z.infer<typeof ConsoleLine>

export const Alert = z.object({
  id: Id,
  experiment: z.object({ slug: z.string(), name: z.string(), project: z.string() }).nullable(),
  title: z.string(),
  text: z.string(),
  level: z.enum(['info', 'warn', 'error']),
  createdAt: Instant,
})
export type Alert = z.infer<typeof Alert>

/**
 * A line of `grid status` and `grid history`: experiments that share a group, or one that has none, counted by state.
 */
export const StatusRow = z.object({
  /** The group, or the experiment's name. */
  run: z.string(),
  team: z.string(),
  project: z.string(),
  createdBy: Person,
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  createdAt: Instant,
  durationSeconds: z.number(),
  experiments: z.number(),
  running: z.number(),
  queued: z.number(),
  completed: z.number(),
  failed: z.number(),
  stopped: z.number(),
})
export type StatusRow = z.infer<typeof StatusRow>

const project = z.object({ team: z.string(), project: z.string() })
const experiment = project.extend({ experiment: z.string() })
const path = '/projects/{team}/{project}/experiments'

export const experiments = {
  query: endpoint
    .route({
      method: 'POST',
      path: `${path}/query`,
      summary: 'Find experiments: search, filter, sort, page',
      tags: ['experiments'],
    })
    .input(project.extend(ExperimentQuery.shape))
    .output(z.object({ rows: z.array(ExperimentRow), total: z.number() })),
  columns: endpoint
    .route({
      method: 'GET',
      path: '/projects/{team}/{project}/columns',
      summary: 'Config and summary keys in a project',
      tags: ['experiments'],
    })
    .input(
      project.extend({
        search: z.string().optional(),
        limit: z.coerce.number().int().min(1).max(5000).default(1000),
      }),
    )
    .output(z.array(z.object({ column: z.string(), experiments: z.number(), numeric: z.boolean() }))),
  get: endpoint
    .route({ method: 'GET', path: `${path}/{experiment}`, summary: 'One experiment', tags: ['experiments'] })
    .input(experiment)
    .output(ExperimentDetails),
  change: endpoint
    .route({
      method: 'PATCH',
      path: `${path}/{experiment}`,
      summary: 'Change name, notes, tags',
      tags: ['experiments'],
    })
    .input(
      experiment.extend({
        name: z.string().trim().min(1).max(500).optional(),
        notes: z.string().max(100_000).optional(),
        tags: z.array(z.string().trim().min(1).max(128)).max(200).optional(),
      }),
    )
    .output(ExperimentDetails),
  stop: endpoint
    .route({
      method: 'POST',
      path: `${path}/{experiment}/stop`,
      summary: 'Ask the script to stop',
      tags: ['experiments'],
    })
    .input(experiment)
    .output(Experiment),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: `${path}/{experiment}`,
      summary: 'Delete an experiment with its files',
      tags: ['experiments'],
    })
    .input(experiment)
    .output(Ok),
  move: endpoint
    .route({
      method: 'POST',
      path: '/experiments/move',
      summary: 'Move experiments to another project or team: all of them, or none',
      tags: ['experiments'],
    })
    .input(
      z.object({
        /** Which; or `from`. */
        experimentIds: z.array(Id).min(1).max(20_000).optional(),
        /** All of a project that match. */
        from: project
          .extend({ search: z.string().max(500).optional(), filters: z.array(Filter).max(50).optional() })
          .optional(),
        /** The project is made if there is none of that name. */
        to: z.object({ team: z.string(), project: z.string() }),
        /** Leave out what one may not move, instead of refusing all. */
        skipDenied: z.boolean().optional(),
      }),
    )
    .output(
      z.object({
        moved: z.number(),
        skipped: z.number(),
        team: z.string(),
        project: z.string(),
        /** Those whose address was taken there, with their new one. */
        renamed: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })),
      }),
    ),
  keys: endpoint
    .route({
      method: 'POST',
      path: '/experiments/keys',
      summary: 'What experiments logged, by key',
      tags: ['experiments'],
    })
    .input(
      z.object({
        experimentIds: z.array(Id).min(1).max(200),
        stream: z.enum(['history', 'system']).optional(),
      }),
    )
    .output(z.array(KeyInfo)),
  curves: endpoint
    .route({
      method: 'POST',
      path: '/experiments/curves',
      summary: 'Curves, thinned with exact lows and highs',
      tags: ['experiments'],
    })
    .input(
      z.object({
        experimentIds: z.array(Id).min(1).max(200),
        keys: z.array(z.string().max(1000)).min(1).max(200),
        stream: z.enum(['history', 'system']).default('history'),
        /** `step`, `runtime` (s), `timestamp` (epoch s), or a logged key. */
        x: z.string().max(1000).default('step'),
        from: z.number().nullable().default(null),
        to: z.number().nullable().default(null),
        pointsMax: z.number().int().min(2).max(10_000).default(1000),
      }),
    )
    .output(z.array(Curve)),
  media: endpoint
    .route({
      method: 'POST',
      path: `${path}/{experiment}/media`,
      summary: 'Images, tables, text … by key and step',
      tags: ['experiments'],
    })
    .input(
      experiment.extend({
        keys: z.array(z.string()).min(1).max(50),
        stepFrom: z.number().optional(),
        stepTo: z.number().optional(),
        limit: z.number().int().min(1).max(1000).default(200),
      }),
    )
    .output(z.array(MediaItem)),
  console: endpoint
    .route({
      method: 'GET',
      path: `${path}/{experiment}/console`,
      summary: 'Console lines',
      tags: ['experiments'],
    })
    .input(
      experiment.extend({
        /** First line wanted, 0-based. */
        from: z.coerce.number().int().min(0).optional(),
        /** Newest lines instead of first. */
        last: z.stringbool().or(z.boolean()).optional(),
        search: z.string().max(500).optional(),
        limit: z.coerce.number().int().min(1).max(10_000).default(1000),
      }),
    )
    .output(z.object({ lines: z.array(ConsoleLine), total: z.number() })),
  files: endpoint
    .route({
      method: 'GET',
      path: `${path}/{experiment}/files`,
      summary: 'Files with signed urls',
      tags: ['experiments'],
    })
    .input(experiment.extend({ prefix: z.string().optional() }))
    .output(z.array(FileInfo)),
  alerts: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/alerts',
      summary: 'What scripts reported',
      tags: ['experiments'],
    })
    .input(
      z
        .object({ team: z.string(), project: z.string().optional(), experiment: z.string().optional() })
        .extend(PageInput.shape),
    )
    .output(page(Alert)),
  resolve: endpoint
    .route({
      method: 'GET',
      path: '/experiments/resolve',
      summary: 'Which experiment is `[user:]name`',
      tags: ['experiments'],
    })
    .input(
      z.object({
        /** `name`, `user:name`, `team/project/slug`, or a group's name for all of its experiments. */
        ref: z.string().min(1).max(1000),
        team: z.string().optional(),
      }),
    )
    .output(z.array(Experiment)),
  status: endpoint
    .route({
      method: 'GET',
      path: '/status',
      summary: 'Runs with their experiments counted by state',
      tags: ['experiments'],
    })
    .input(
      PageInput.extend({
        /** `mine`: what I started; `global`: of everybody in my teams. */
        scope: z.enum(['mine', 'global']).default('mine'),
        team: z.string().optional(),
        user: z.string().optional(),
        /** `active`: something runs or waits; `history`: nothing does any more. */
        show: z.enum(['active', 'history']).default('active'),
      }),
    )
    .output(page(StatusRow).extend({ inactive: z.number() })),
}
