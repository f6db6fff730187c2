import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput } from './base.ts'
import { ExperimentState } from './experiments.ts'
import { maximumExperiments, searchStrategies } from './search-space.ts'
import { Person } from './teams.ts'

/** How one try of an experiment stands. After `syncing` come the ends. */
export const AttemptState = z.enum([
  'created',
  'submitting',
  'queued',
  'starting',
  'building',
  'running',
  'stopping',
  'syncing',
  'succeeded',
  'failed',
  'stopped',
  'timeout',
  'oom',
  'preempted',
  'lost',
  'rejected',
])
export type AttemptState = z.infer<typeof AttemptState>
export const finalAttemptStates = [
  'succeeded',
  'failed',
  'stopped',
  'timeout',
  'oom',
  'preempted',
  'lost',
  'rejected',
] as const satisfies readonly AttemptState[]

/** Lower case, digits and `-`, from a letter to a letter or digit: it becomes part of host names and jobs' names. */
export const runNamePattern = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/
export const runNameRule =
  'Names of runs are 1 to 63 lower-case letters, digits and "-", begin with a letter and end with a letter or digit, such as "digits-7" or "lr-search"; they do not end like an experiment ("-exp0").'
export const RunName = z
  .string()
  .refine((name) => runNamePattern.test(name) && !/-exp\d+$/.test(name), runNameRule)

const Words = z.array(z.string().max(100_000)).max(10_000)
const EnvironmentVariables = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Names of environment variables are letters, digits and "_"'),
  z.string().max(100_000),
)

/** What the code was made of, as `git` tells. */
export const GitState = z.object({
  remote: z.string().max(1000).nullable(),
  commit: z.string().max(64).nullable(),
  branch: z.string().max(1000).nullable(),
  /** There were changes that no commit holds; they are in the archive. */
  dirty: z.boolean(),
  /** Those changes, for people. */
  patch: z.string().max(1_000_000).nullable(),
})
export type GitState = z.infer<typeof GitState>

export const RunResources = z.object({
  /** 0: everything that the machine has. */
  cpus: z.number().int().min(0).max(100_000).default(1),
  /** 0: the machine's share for these processors. */
  memoryMiB: z.number().int().min(0).max(100_000_000).default(0),
  gpus: z.number().int().min(0).max(10_000).default(0),
  diskGiB: z.number().int().min(0).max(1_000_000).optional(),
  timeLimitSeconds: z.number().int().min(1).max(31_536_000).optional(),
})

export const RunSpec = z.object({
  /** Relative to the code. */
  script: z.string().min(1).max(4096),
  /** As typed, with lists and ranges. */
  arguments: Words.default([]),
  /** Where in the code it runs. */
  folder: z.string().max(4096).default(''),
  strategy: z.enum(searchStrategies).default('grid_search'),
  trials: z.number().int().min(1).max(maximumExperiments).nullable().default(null),
  seed: z.number().int().min(0).max(4_294_967_295).default(0),
  resources: RunResources.prefault({}),
  instanceType: z.string().max(200).nullable().default(null),
  /** Absent: this machine. */
  cluster: z.string().max(200).nullable().default(null),
  useSpot: z.boolean().default(false),
  autoResume: z.boolean().default(false),
  graceSeconds: z.number().int().min(1).max(3600).default(120),
  /** `[owner:]name[:version]`, each with where it is to be seen; by default `/datastores/<name>`. */
  datastores: z
    .array(
      z.object({ reference: z.string().max(500), mountPath: z.string().max(1000).nullable().default(null) }),
    )
    .max(20)
    .default([]),
  /** What to install; found by its name where none is named. */
  dependencies: z
    .object({
      kind: z.enum(['pip', 'pyproject', 'conda']),
      file: z.string().max(4096),
      inheritSite: z.boolean().default(false),
    })
    .nullable()
    .default(null),
  actions: z
    .object({ build: Words.default([]), start: Words.default([]), end: Words.default([]) })
    .prefault({}),
  framework: z.string().max(100).nullable().default(null),
})
export type RunSpec = z.infer<typeof RunSpec>

/** A row of a list. */
export const Run = z.object({
  id: Id,
  team: z.string(),
  project: z.string(),
  name: z.string(),
  description: z.string(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  /** As it would be typed. */
  command: z.string(),
  cluster: z.string(),
  instanceType: z.string().nullable(),
  createdBy: Person,
  createdById: Id,
  via: Person.nullable(),
  createdAt: Instant,
  endedAt: Instant.nullable(),
  archivedAt: Instant.nullable(),
  experiments: z.number(),
  running: z.number(),
  queued: z.number(),
  completed: z.number(),
  failed: z.number(),
  stopped: z.number(),
})
export type Run = z.infer<typeof Run>

export const RunExperiment = z.object({
  id: Id,
  number: z.number(),
  slug: z.string(),
  name: z.string(),
  state: ExperimentState,
  stopRequested: z.boolean(),
  exitCode: z.number().nullable(),
  command: z.string(),
  /** What the search chose, as the script reads it. */
  parameters: z.record(z.string(), z.string()),
  /** Its last try; null before there is one. */
  attempt: z
    .object({
      id: Id,
      number: z.number(),
      state: AttemptState,
      /** Why it waits, or how it ended. */
      message: z.string(),
      node: z.string().nullable(),
      createdAt: Instant,
      startedAt: Instant.nullable(),
      runningAt: Instant.nullable(),
      endedAt: Instant.nullable(),
    })
    .nullable(),
  createdAt: Instant,
  endedAt: Instant.nullable(),
  /** Before it began, and since. */
  queuedSeconds: z.number(),
  runSeconds: z.number(),
})
export type RunExperiment = z.infer<typeof RunExperiment>

export const RunDatastore = z.object({
  owner: z.string(),
  name: z.string(),
  version: z.number(),
  mountPath: z.string(),
})

export const RunDetails = Run.extend({
  spec: RunSpec,
  /** Names of what is in its environment; the values may be secrets. */
  environmentNames: z.array(z.string()),
  git: GitState.nullable(),
  code: z.object({ sha256: z.string(), sizeBytes: z.number() }).nullable(),
  datastores: z.array(RunDatastore),
  clonedFrom: z.object({ id: Id, name: z.string() }).nullable(),
  warnings: z.array(z.string()),
  experimentList: z.array(RunExperiment),
})
export type RunDetails = z.infer<typeof RunDetails>

export const LogLine = z.object({
  kind: z.enum(['build', 'experiment']),
  at: Instant.nullable(),
  text: z.string(),
})

const run = z.object({ team: z.string(), run: z.string() })
const tags = ['runs']

export const runs = {
  submit: endpoint
    .route({ method: 'POST', path: '/teams/{team}/runs', summary: 'Submit a run', tags })
    .input(
      z.object({
        team: z.string(),
        project: z.string().optional(),
        /** Absent: a new one. */
        name: RunName.optional(),
        description: z.string().max(100_000).default(''),
        spec: RunSpec,
        /** Of each experiment. */
        tags: z.array(z.string().max(200)).max(100).default([]),
        /** Sealed where it rests, and shown to nobody. */
        environment: EnvironmentVariables.default({}),
        code: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).nullable(),
        git: GitState.nullable().default(null),
        /** What it is a copy of. Its environment comes along. */
        clonedFrom: Id.nullable().default(null),
        /** Only say what would happen. */
        dryRun: z.boolean().default(false),
      }),
    )
    .output(RunDetails),
  list: endpoint
    .route({ method: 'GET', path: '/teams/{team}/runs', summary: 'Runs of a team, newest first', tags })
    .input(
      PageInput.extend({
        team: z.string(),
        project: z.string().optional(),
        user: z.string().optional(),
        archived: z.stringbool().or(z.boolean()).default(false),
      }),
    )
    .output(page(Run)),
  get: endpoint
    .route({ method: 'GET', path: '/teams/{team}/runs/{run}', summary: 'A run with its experiments', tags })
    .input(run)
    .output(RunDetails),
  find: endpoint
    .route({
      method: 'GET',
      path: '/runs/find',
      summary: 'Which run `[owner:]name` means, or the run of `[owner:]name-expN`',
      tags,
    })
    .input(z.object({ reference: z.string().min(1).max(500), team: z.string().optional() }))
    .output(RunDetails),
  buildLog: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/runs/{run}/experiments/{number}/build-log',
      summary: 'What was said while an experiment of a run was prepared',
      tags,
    })
    .input(run.extend({ number: z.coerce.number().int().min(0) }))
    .output(z.object({ lines: z.array(z.object({ at: Instant, text: z.string() })) })),
  stop: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/runs/{run}/stop',
      summary: 'Stop all experiments of a run',
      tags,
    })
    .input(run)
    .output(RunDetails),
  archive: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/runs/{run}/archive',
      summary: 'Hide a run from lists, or show it again',
      tags,
    })
    .input(run.extend({ archived: z.boolean().default(true) }))
    .output(RunDetails),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: '/teams/{team}/runs/{run}',
      summary: 'Delete a run with its experiments',
      tags,
    })
    .input(run)
    .output(Ok),
  code: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/code/{sha256}',
      summary: 'Whether this archive of code is here already; if not, PUT it to /runs/code/{team}/{sha256}',
      tags,
    })
    .input(z.object({ team: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
    .output(z.object({ isHere: z.boolean() })),
}

export const Cluster = z.object({
  id: Id,
  /** Null: of the organisation, for all teams. */
  team: z.string().nullable(),
  name: z.string(),
  kind: z.enum(['local', 'slurm']),
  status: z.enum(['running', 'failed', 'disabled']),
  /** Why it is not running. */
  reason: z.string().nullable(),
  createdBy: Person.nullable(),
  createdAt: Instant,
  machines: z.array(
    z.object({
      name: z.string(),
      cpus: z.number(),
      memoryMiB: z.number(),
      gpus: z.number(),
      gpuType: z.string().nullable(),
      preemptible: z.boolean(),
      available: z.boolean(),
    }),
  ),
})
export type Cluster = z.infer<typeof Cluster>

export const clusters = {
  list: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/clusters',
      summary: 'Where runs may go',
      tags: ['clusters'],
    })
    .input(z.object({ team: z.string() }))
    .output(z.array(Cluster)),
}
