/** Sweeps and agents in the client's words. Parents are `StoredSweep`s and `StoredAgent`s. */
import { GridError, type SweepAction, type SweepState } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import { isJsonObject } from '../../lib/tolerant-json.ts'
import { expectedCount, readConfig, type Sweeps, unwrapped } from '../../sweeps/service.ts'
import type { AgentCommand, StoredAgent, StoredSweep } from '../../sweeps/types.ts'
import type { Teams } from '../../teams/service.ts'
import type { Resolvers } from '../graphql.ts'
import { sweepCondition } from '../sweep-filters.ts'
import { parseObject, readStorageId, storageId } from '../words.ts'
import { connectionOf, lengthOf, offsetOf, type PageArguments } from './connections.ts'
import { entityOf, type ProjectNode } from './places.ts'

type UpsertSweepInput = {
  id?: string | null
  config?: string | null
  description?: string | null
  displayName?: string | null
  entityName?: string | null
  projectName?: string | null
  controller?: string | null
  state?: string | null
  priorRunsFilters?: string | null
}

type SweepsArguments = PageArguments & { filters?: string | null }
type RunsOnly = { agentId?: string; isPrior?: boolean; isReversed?: boolean; last?: number | null }
type AgentRunsArguments = PageArguments & { last?: number | null; order?: string | null }

const defaultProject = 'uncategorized'
const sweepsPerPage = 50
const sweepsPerPageMax = 200
/** Agents work on one run; more than this nobody reports. */
const aliveMax = 1000

const states = {
  pending: 'PENDING',
  running: 'RUNNING',
  paused: 'PAUSED',
  finished: 'FINISHED',
  cancelled: 'CANCELED',
} as const satisfies Record<SweepState, string>

const actions: Record<string, SweepAction> = {
  RUNNING: 'resume',
  PAUSED: 'pause',
  FINISHED: 'stop',
  CANCELED: 'cancel',
}

export function sweepResolvers({ sweeps, teams }: { sweeps: Sweeps; teams: Teams }): Resolvers {
  const whereOf = (project: ProjectNode) => ({ team: project.teamSlug, project: project.name })

  async function page(project: ProjectNode, args: SweepsArguments, actor: Actor) {
    const offset = offsetOf(args.after)
    const { sweeps: found, total } = await sweeps.page(actor, {
      ...whereOf(project),
      ...filteredBy(args.filters),
      offset,
      limit: Math.min(lengthOf(args.first, sweepsPerPage), sweepsPerPageMax),
    })
    return { ...connectionOf(found, offset, offset + found.length < total), totalCount: total }
  }

  /** Runs in the order of their making; with `last` only so many at the end. */
  async function runsPage(
    sweep: StoredSweep,
    { first, after }: PageArguments,
    { last, isReversed = false, ...only }: RunsOnly = {},
  ) {
    const { experiments, offset, total } = await sweeps.experimentsOf(
      sweep,
      (count) => {
        const skipped = last == null ? 0 : Math.max(0, count - lengthOf(last, 0))
        const start = after ? offsetOf(after) : skipped
        return { offset: start, limit: lengthOf(first, count - start), isReversed }
      },
      only,
    )
    return {
      ...connectionOf(experiments, offset, offset + experiments.length < total),
      totalCount: total,
    }
  }

  async function create(actor: Actor, input: UpsertSweepInput) {
    if (!input.config) throw new GridError('invalid', 'A new sweep needs a "config"')
    return await sweeps.create(actor, {
      team: entityOf(actor, input.entityName),
      project: input.projectName || defaultProject,
      configText: input.config,
      ...(input.displayName ? { name: input.displayName } : {}),
      ...(input.description ? { description: input.description } : {}),
      prior: priorRuns(input.priorRunsFilters),
    })
  }

  async function change(actor: Actor, given: string, input: UpsertSweepInput) {
    const id = sweepIdOf(given)
    let sweep = await sweeps.findById(actor, id)
    if (!sweep) throw noSuchSweep()
    let warnings: string[] = []
    if (input.config) ({ sweep, warnings } = await sweeps.reconfigure(actor, id, input.config))
    const { displayName, description } = input
    if (displayName || (description && description !== sweep.description))
      sweep = await sweeps.change(
        actor,
        { team: sweep.teamSlug, project: sweep.projectName, slug: sweep.slug },
        { ...(displayName ? { name: displayName } : {}), ...(description ? { description } : {}) },
      )
    if (input.controller) {
      await sweeps.followController(actor, id, parseObject(input.controller, 'controller'))
    }
    if (input.state) {
      const action = actions[input.state.toUpperCase()]
      if (!action)
        throw new GridError(
          'invalid',
          `A sweep cannot be made ${input.state}: use ${Object.keys(actions).join(', ')}`,
        )
      sweep = await sweeps.steerById(actor, id, action)
    }
    return { sweep, warnings }
  }

  return {
    Project: {
      sweep: (project: ProjectNode, { sweepName }: { sweepName: string }, { actor }) =>
        sweeps.find(actor, { ...whereOf(project), slug: sweepName }),
      sweeps: (project: ProjectNode, args: SweepsArguments, { actor }) => page(project, args, actor),
      totalSweeps: async (project: ProjectNode, _: unknown, { actor }) =>
        (await sweeps.page(actor, { ...whereOf(project), offset: 0, limit: 0 })).total,
    },
    Mutation: {
      async upsertSweep(_: unknown, { input }: { input: UpsertSweepInput }, { actor }) {
        const { sweep, warnings } = input.id
          ? await change(actor, input.id, input)
          : await create(actor, input)
        return { sweep, configValidationWarnings: warnings }
      },
      async createAgent(
        _: unknown,
        { input }: { input: { host: string; sweep: string; entityName?: string; projectName?: string } },
        { actor },
      ) {
        const agent = await sweeps.createAgent(
          actor,
          {
            team: entityOf(actor, input.entityName),
            project: input.projectName || defaultProject,
            slug: input.sweep,
          },
          input.host,
        )
        return { agent }
      },
      async agentHeartbeat(
        _: unknown,
        { input }: { input: { id: string; runState?: string | null } },
        { actor },
      ) {
        const id = readStorageId('Agent', input.id)
        if (!id) throw new GridError('not_found', 'There is no agent with this id')
        const alive = Object.keys(input.runState ? parseObject(input.runState, 'runState') : {})
        const commands = await sweeps.heartbeat(actor, id, alive.slice(0, aliveMax))
        return {
          agent: await sweeps.agentById(actor, id),
          commands: JSON.stringify(commands.map(commandOf)),
        }
      },
      async enqueueSweepRun(
        _: unknown,
        { input }: { input: { id: string; config: string; displayName?: string | null } },
        { actor },
      ) {
        const values = unwrapped(parseObject(input.config, 'config'))
        const { experimentId } = await sweeps.enqueue(
          actor,
          sweepIdOf(input.id),
          values,
          input.displayName ?? null,
        )
        return { id: storageId('Run', experimentId), runQueueItemId: null }
      },
    },
    Sweep: {
      id: ({ id }: StoredSweep) => storageId('Sweep', id),
      name: ({ slug }: StoredSweep) => slug,
      displayName: ({ name }: StoredSweep) => name,
      method: ({ config }: StoredSweep) => readConfig(config).config.method,
      state: ({ state }: StoredSweep) => states[state],
      config: ({ configText }: StoredSweep) => configText,
      bestLoss: async (sweep: StoredSweep, _: unknown, { actor }) =>
        (await sweeps.bestOf(actor, sweep))?.value ?? null,
      earlyStopJobRunning: () => false,
      controller: ({ controller }: StoredSweep) => JSON.stringify(controller),
      scheduler: async (sweep: StoredSweep) =>
        JSON.stringify({
          scheduled: (await sweeps.scheduled(sweep)).map(({ id, slug }) => ({ id, runid: slug })),
        }),
      // The client names one for launch only.
      controllerRunName: () => null,
      project: ({ teamId, projectName }: StoredSweep) => teams.findProject(teamId, projectName),
      runCount: (sweep: StoredSweep) => sweeps.experimentCount(sweep),
      runCountExpected: ({ config }: StoredSweep) => {
        // The client takes a number for the size of a grid: of other searches it expects none, capped or not.
        const read = readConfig(config).config
        const count = read.method === 'grid' ? expectedCount(read) : null
        // GraphQL's own limit of whole numbers.
        return count === null || count >= 2 ** 31 ? null : count
      },
      runs: (sweep: StoredSweep, args: PageArguments) => runsPage(sweep, args),
      priorRuns: (sweep: StoredSweep, args: PageArguments) => runsPage(sweep, args, { isPrior: true }),
      agents: async (sweep: StoredSweep) => ({
        edges: (await sweeps.agents(sweep)).toReversed().map((node) => ({ node })),
      }),
      agent: async (sweep: StoredSweep, { agentName }: { agentName: string }) =>
        (await sweeps.agents(sweep)).find(
          (agent) => agent.label === agentName || storageId('Agent', agent.id) === agentName,
        ),
    },
    Agent: {
      id: ({ id }: StoredAgent) => storageId('Agent', id),
      name: ({ label }: StoredAgent) => label,
      state: ({ state }: StoredAgent) => state.toUpperCase(),
      totalRuns: ({ trials }: StoredAgent) => trials,
      async runs(agent: StoredAgent, { last, order, ...args }: AgentRunsArguments, { actor }) {
        const sweep = await sweeps.findById(actor, agent.sweepId)
        if (!sweep) throw noSuchSweep()
        const isReversed = order?.startsWith('-') ?? false
        return await runsPage(sweep, args, { agentId: agent.id, isReversed, last })
      },
    },
  }
}

function filteredBy(filters: string | null | undefined) {
  const where = sweepCondition(filters)
  return where === undefined ? {} : { where }
}

/** `{"$or": [{"name": "run1"}, …]}` → `run1`, … @throws GridError invalid for anything else. */
function priorRuns(filters: string | null | undefined): string[] {
  if (!filters) return []
  const { $or: either } = parseObject(filters, 'priorRunsFilters')
  const names = Array.isArray(either)
    ? either.map((each: unknown) => (isJsonObject(each) ? each.name : null))
    : []
  if (names.length === 0 || !names.every((name) => typeof name === 'string'))
    throw new GridError('invalid', 'priorRunsFilters can name runs, as in {"$or": [{"name": "ab12cd34"}]}')
  return names as string[]
}

function sweepIdOf(given: string): string {
  const id = readStorageId('Sweep', given)
  if (!id) throw noSuchSweep()
  return id
}

function noSuchSweep(): GridError {
  return new GridError('not_found', 'There is no sweep with this id, or it is not yours to see')
}

function commandOf(command: AgentCommand): object {
  switch (command.type) {
    case 'exit':
      return { type: 'exit' }
    case 'stop':
      return { type: 'stop', run_id: command.slug }
    case 'run':
    case 'resume': {
      const entries = Object.entries(command.values).map(([key, value]) => [key, { value }] as const)
      const args: Record<string, unknown> = Object.fromEntries(entries)
      return { type: command.type, run_id: command.slug, program: command.program, args }
    }
    default:
      return command satisfies never
  }
}
