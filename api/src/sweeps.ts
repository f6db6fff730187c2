import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput } from './base.ts'
import { ExperimentState, Json } from './experiments.ts'
import { Person } from './teams.ts'

/**
 * `pending`: nobody has begun. `paused`: what runs goes on, nothing new begins. `finished`: nothing new will begin.
 * `cancelled`: as finished, and what ran was stopped.
 */
export const SweepState = z.enum(['pending', 'running', 'paused', 'finished', 'cancelled'])
export type SweepState = z.infer<typeof SweepState>

/** What people do to a sweep. `stop` lets what runs come to its end, `cancel` does not. */
export const SweepAction = z.enum(['pause', 'resume', 'stop', 'cancel'])
export type SweepAction = z.infer<typeof SweepAction>

/** From which states each makes sense. */
export const sweepActionsFrom: Record<SweepAction, readonly SweepState[]> = {
  pause: ['pending', 'running'],
  resume: ['paused', 'finished', 'cancelled'],
  stop: ['pending', 'running', 'paused'],
  cancel: ['pending', 'running', 'paused'],
}

/** A row of a list. */
export const Sweep = z.object({
  id: Id,
  team: z.string(),
  project: z.string(),
  /** Eight characters, its name in urls and for `wandb agent`. */
  slug: z.string(),
  /** The name somebody gave it, else the slug. */
  name: z.string(),
  state: SweepState,
  method: z.enum(['grid', 'random', 'bayes', 'custom']),
  /** What is searched for; null when nothing was named. */
  metric: z.object({ name: z.string(), goal: z.enum(['minimize', 'maximize']) }).nullable(),
  createdBy: Person,
  createdById: Id,
  createdAt: Instant,
  updatedAt: Instant,
  /** When an agent last asked. */
  heartbeatAt: Instant.nullable(),
  endedAt: Instant.nullable(),
  /** Experiments in it, by what became of them. */
  counts: z.object({
    total: z.number(),
    running: z.number(),
    waiting: z.number(),
    finished: z.number(),
    failed: z.number(),
    stopped: z.number(),
    /** Begun by the sweep and moved to another project since; who may see them finds them there. */
    moved: z.number(),
  }),
  /** How many there will be in all; null when it goes on until somebody stops it. */
  expected: z.number().nullable(),
  /** Agents that ask for work right now. */
  agents: z.number(),
  /** The best by the last value of the metric; null before there is one. */
  best: z.object({ slug: z.string(), name: z.string(), value: z.number() }).nullable(),
})
export type Sweep = z.infer<typeof Sweep>

export const SweepAgent = z.object({
  id: Id,
  /** Host and number. */
  name: z.string(),
  host: z.string(),
  user: Person,
  /** `crashed`: silent, with an experiment that it had taken and not begun. */
  state: z.enum(['running', 'finished', 'crashed']),
  createdAt: Instant,
  heartbeatAt: Instant,
  /** Experiments it has been given. */
  experiments: z.number(),
  /** The one it works on. */
  current: z.object({ slug: z.string(), name: z.string() }).nullable(),
})
export type SweepAgent = z.infer<typeof SweepAgent>

export const SweepParameter = z.object({
  /** Nested ones with dots. */
  name: z.string(),
  distribution: z.string(),
  /** Values without order; all others are drawn along a scale. */
  isCategorical: z.boolean(),
  isLogarithmic: z.boolean(),
})
export type SweepParameter = z.infer<typeof SweepParameter>

export const SweepDetails = Sweep.extend({
  description: z.string().nullable(),
  /** The YAML as it was written. */
  config: z.string(),
  parameters: z.array(SweepParameter),
  runCap: z.number().nullable(),
  earlyTermination: z.object({ bands: z.array(z.number()), eta: z.number(), strict: z.boolean() }).nullable(),
  /** A controller on somebody's machine decides what is tried. */
  isLocal: z.boolean(),
  /** Newest first. */
  agentList: z.array(SweepAgent),
  /** What looks like a mistake in the configuration and has no effect. */
  warnings: z.array(z.string()),
})
export type SweepDetails = z.infer<typeof SweepDetails>

export const SweepAnalysis = z.object({
  /** Every parameter that varies, the most important first. */
  parameters: z.array(
    SweepParameter.extend({
      /** Its share in what the metric depends on, 0 … 1, all together 1; null before there is enough to learn from. */
      importance: z.number().nullable(),
      /** −1 … 1: whether the metric rises or falls with it; null for what has no order. */
      correlation: z.number().nullable(),
    }),
  ),
  /** The newest of the sweep's experiments, newest first; after them the best ones that are older than those. */
  rows: z.array(
    z.object({
      id: Id,
      slug: z.string(),
      name: z.string(),
      state: ExperimentState,
      /** By the name of the parameter. */
      values: z.record(z.string(), Json),
      metric: z.number().nullable(),
    }),
  ),
  /** How many experiments the importance was learned from. */
  learnedFrom: z.number(),
  /** How many of the rows are the newest; where it is less than `total`, the others are the best of the older ones. */
  newest: z.number(),
  /** How many experiments the sweep has. */
  total: z.number(),
})
export type SweepAnalysis = z.infer<typeof SweepAnalysis>

const project = z.object({ team: z.string(), project: z.string() })
const sweep = project.extend({ sweep: z.string() })
const path = '/projects/{team}/{project}/sweeps'
const tags = ['sweeps']

export const sweeps = {
  list: endpoint
    .route({ method: 'GET', path, summary: 'The sweeps of a project, newest first', tags })
    .input(project.extend(PageInput.shape).extend({ search: z.string().max(200).optional() }))
    .output(page(Sweep).extend({ total: z.number() })),
  create: endpoint
    .route({ method: 'POST', path, summary: 'Make a sweep from its configuration', tags })
    .input(
      project.extend({
        /** YAML or JSON, in the dialect of `wandb sweep`. */
        config: z.string().max(1_000_000),
        /** Experiments of the project whose results count from the start, by slug. */
        priorExperiments: z.array(z.string().max(200)).max(1000).default([]),
      }),
    )
    .output(SweepDetails),
  get: endpoint
    .route({ method: 'GET', path: `${path}/{sweep}`, summary: 'One sweep', tags })
    .input(sweep)
    .output(SweepDetails),
  analysis: endpoint
    .route({
      method: 'GET',
      path: `${path}/{sweep}/analysis`,
      summary: 'What was tried, what came of it, and which parameters mattered',
      tags,
    })
    .input(sweep.extend({ limit: z.coerce.number().int().min(1).max(2000).default(1000) }))
    .output(SweepAnalysis),
  steer: endpoint
    .route({ method: 'POST', path: `${path}/{sweep}/{action}`, summary: 'Pause, resume, stop, cancel', tags })
    .input(sweep.extend({ action: SweepAction }))
    .output(Sweep),
  change: endpoint
    .route({ method: 'PATCH', path: `${path}/{sweep}`, summary: 'Change name or description', tags })
    .input(
      sweep.extend({
        name: z.string().trim().min(1).max(500).optional(),
        description: z.string().max(10_000).optional(),
      }),
    )
    .output(SweepDetails),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: `${path}/{sweep}`,
      summary: 'Delete a sweep; its experiments stay',
      tags,
    })
    .input(sweep)
    .output(Ok),
}
