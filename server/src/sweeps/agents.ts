/**
 * What agents ask and are told. A configuration is chosen and handed out while the sweep is locked, so that two agents
 * that ask at the same moment never get the same one; the experiment is made after that, under a name chosen before, so
 * that whatever breaks in between can be done again.
 */
import { endedStates, GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId, randomText } from '../lib/ids.ts'
import { isJsonObject, storableText } from '../lib/tolerant-json.ts'
import { createChoosing } from './choosing.ts'
import { type Decision, handedMax, lostMax, standingOf } from './deciding.ts'
import type { SweepsDeps } from './deps.ts'
import { toStop } from './hyperband.ts'
import type { Learner } from './learner.ts'
import { createOutcomes } from './outcomes.ts'
import type { Values } from './parameters.ts'
import { readConfig, type SweepConfig } from './sweep-config.ts'
import * as store from './store.ts'
import * as trialStore from './trial-store.ts'
import type { AgentCommand, StoredAgent, StoredSweep, StoredTrial, SweepRef } from './types.ts'

/** Agents ask every five seconds, and try for minutes when the network is away. */
export const silentAfterSeconds = 180
/** How often a sweep is looked through for what should stop early. */
const stopEarlyEverySeconds = 5
const hostLengthMax = 255
const agentsMax = 10_000
const batchMax = 200
/** Of a controller's list of what shall end, the last ones. */
const earlyStopsMax = 10_000
/** An agent works on one experiment, those of the command line on a few. */
const aliveMax = 1000

type Parts = SweepsDeps & {
  learner: Learner
  /** Tells browsers. */
  tell: (sweep: Pick<StoredSweep, 'id' | 'teamId' | 'projectId'>) => void
}

export function createAgents({ db, access, experiments, clock, learner, tell }: Parts) {
  const startedAt = clock.now()
  const { coursesOf, ...outcomes } = createOutcomes({ db, experiments })
  const { choose } = createChoosing({ db, learner, ...outcomes })
  const lookedAt = new Map<string, number>()

  /** A process says that it will ask for work. Whoever starts it owns what it runs. */
  async function createAgent(actor: Actor, ref: SweepRef, host: string): Promise<StoredAgent> {
    const sweep = await access.allowed(actor, 'run:read', store.findSweep(db, ref))
    await access.allowed(actor, 'experiment:create', {
      teamId: sweep.teamId,
      ownerId: null,
      kind: 'team',
      label: sweep.teamSlug,
    })
    if (actor.userId === null)
      throw new GridError(
        'forbidden',
        'Agents belong to people: sign in with a key of a person or service account.',
      )
    const agent = {
      id: newId(clock.now().getTime()),
      sweepId: sweep.id,
      host: storableText(host).slice(0, hostLengthMax) || 'unknown',
      userId: actor.attributedTo?.userId ?? actor.userId,
      viaUserId: actor.attributedTo ? actor.userId : null,
      now: clock.now(),
    }
    await db.transaction().execute(async (trx) => {
      const locked = (await store.lockSweep(trx, sweep.id)) ?? gone()
      await store.insertAgent(trx, agent)
      if (((await store.findAgent(trx, agent.id))?.number ?? 0) > agentsMax)
        throw new GridError(
          'overloaded',
          `Sweep ${sweep.slug} has had ${agentsMax} agents; start a new sweep.`,
        )
      if (locked.state === 'pending')
        await store.updateSweep(trx, sweep.id, { state: 'running' }, clock.now())
    })
    tell(sweep)
    return (await store.findAgent(db, agent.id)) ?? gone()
  }

  /**
   * A sign of life of an agent, with the experiments that run on it (or wait there to run).
   *
   * @returns what it shall do, at most one thing to begin; nothing new while something runs.
   * @throws GridError not_found, when agent or sweep were deleted or are not the actor's.
   */
  async function heartbeat(actor: Actor, agentId: string, alive: readonly string[]): Promise<AgentCommand[]> {
    const agent = await access.allowed(actor, 'experiment:log', store.findAgent(db, agentId))
    await store.noteAlive(db, agentId, alive, clock.now())
    const sweep = (await store.findSweepById(db, agent.sweepId)) ?? gone()
    await endVanished(await trialStore.openTrials(db, sweep.id, agentId), alive)
    const { config } = readConfig(sweep.config)
    await stopEarly(actor, sweep, config)
    const stops = await stopsFor(sweep, alive)
    if (stops.length > 0) return stops
    if (alive.length > 0) return []
    switch (sweep.state) {
      case 'paused':
        return []
      case 'finished':
      case 'cancelled':
        await leave(sweep, agent)
        return [{ type: 'exit' }]
      case 'pending':
      case 'running':
        return await next(actor, sweep, agent, config)
      default:
        return sweep.state satisfies never
    }
  }

  /** What the agent had begun and has no more, and never said a word: its process ended before it could. */
  async function endVanished(mine: readonly StoredTrial[], alive: readonly string[]): Promise<void> {
    for (const trial of mine) {
      const isOver = trial.reportedAt !== null || trial.handedCount >= handedMax
      if (standingOf(trial) === 'unstarted' && isOver && !alive.includes(trial.slug!) && trial.experimentId)
        await experiments.giveUp(trial.experimentId, 'failed')
    }
  }

  /** Those of the agent that somebody wants to end: people, the sweep's end, or the rule for stopping early. */
  async function stopsFor(sweep: StoredSweep, alive: readonly string[]): Promise<AgentCommand[]> {
    if (alive.length === 0) return []
    const found = await experiments.ofSweep(sweep.projectId, sweep.slug, aliveMax, 'slim', alive)
    const toEnd = new Set(
      found
        .filter(
          (each) => !endedStates.includes(each.state) && (each.stopRequested || sweep.state === 'cancelled'),
        )
        .map((each) => each.slug),
    )
    return alive.filter((slug) => toEnd.has(slug)).map((slug) => ({ type: 'stop', slug }))
  }

  async function stopEarly(
    actor: Actor,
    sweep: StoredSweep,
    { hyperband, metric }: SweepConfig,
  ): Promise<void> {
    if (!hyperband || !metric || (sweep.state !== 'running' && sweep.state !== 'paused')) return
    const now = clock.now().getTime()
    if (now - (lookedAt.get(sweep.id) ?? 0) < stopEarlyEverySeconds * 1000) return
    lookedAt.set(sweep.id, now)
    if (lookedAt.size > 1000) lookedAt.delete(lookedAt.keys().next().value!)
    const ids = toStop(hyperband, metric.goal, await coursesOf(sweep, metric.name))
    await experiments.stopInSweep(actor, ids, `early termination of sweep ${sweep.slug}`)
  }

  async function next(
    actor: Actor,
    { id }: StoredSweep,
    agent: StoredAgent,
    config: SweepConfig,
  ): Promise<AgentCommand[]> {
    const sweep = (await store.findSweepById(db, id)) ?? gone()
    const handed = await choose(actor, sweep, agent, config, (trx, locked, number, decision) =>
      carryOut(trx, locked, agent, number, decision),
    )
    if (handed === undefined) return []
    tell(sweep)
    if (handed.type !== 'run' && handed.type !== 'resume') return [handed]
    return [await begin(actor, sweep, handed)]
  }

  type Handed = AgentCommand & { number?: number }

  async function carryOut(
    trx: store.Db,
    sweep: StoredSweep,
    agent: StoredAgent,
    nextNumber: number,
    decision: Exclude<Decision, { do: 'think' }>,
  ): Promise<Handed | undefined> {
    const now = clock.now()
    const program = typeof sweep.config.program === 'string' ? sweep.config.program : null
    const hand = async (type: 'run' | 'resume', number: number, slug: string, values: Values) => {
      await trialStore.handTrial(trx, sweep.id, number, { agentId: agent.id, slug, now })
      if (sweep.state === 'pending' || sweep.exhaustedAt)
        await store.updateSweep(
          trx,
          sweep.id,
          { state: 'running', ...(readConfig(sweep.config).config.isLocal ? {} : { exhaustedAt: null }) },
          now,
        )
      return { type, number, slug, values, program }
    }
    switch (decision.do) {
      case 'again': {
        const { trial } = decision
        const type = standingOf(trial) === 'preempted' ? 'resume' : 'run'
        return await hand(type, trial.number, trial.slug!, trial.values)
      }
      case 'resume':
        return await hand('resume', decision.trial.number, decision.trial.slug!, decision.trial.values)
      case 'take':
        return await hand(
          'run',
          decision.trial.number,
          decision.trial.slug ?? randomText(8),
          decision.trial.values,
        )
      case 'try': {
        const number = nextNumber
        const slug = randomText(8)
        await trialStore.insertTrial(trx, sweep.id, {
          number,
          values: decision.values,
          slug,
          scheduleId: null,
          now,
        })
        return await hand('run', number, slug, decision.values)
      }
      case 'wait':
        return undefined
      case 'exit':
        await store.updateSweep(
          trx,
          sweep.id,
          {
            ...(sweep.exhaustedAt ? {} : { exhaustedAt: now }),
            ...(decision.isOver ? { state: 'finished' as const, endedAt: now } : {}),
          },
          now,
        )
        await store.endAgent(trx, agent.id, 'finished', now)
        return { type: 'exit' }
      default:
        return decision satisfies never
    }
  }

  /** Makes the experiment that the agent's script will find waiting for it. */
  async function begin(
    actor: Actor,
    sweep: StoredSweep,
    { number, ...command }: Extract<Handed, { type: 'run' | 'resume' }>,
  ): Promise<AgentCommand> {
    const { experiment } = await experiments.upsert(actor, {
      team: sweep.teamSlug,
      project: sweep.projectName,
      slug: command.slug,
      sweepName: sweep.slug,
      state: 'pending',
      ...(command.type === 'run' ? { config: wrapped(command.values) } : {}),
    })
    // Waiting for its script once more.
    if (command.type === 'resume') await experiments.upsert(actor, { id: experiment.id, state: 'pending' })
    await trialStore.noteExperiment(db, sweep.id, number!, experiment.id)
    return command
  }

  async function leave(sweep: StoredSweep, agent: StoredAgent): Promise<void> {
    await store.endAgent(db, agent.id, 'finished', clock.now())
    tell(sweep)
  }

  /**
   * Notices agents that have gone silent, gives back what they had taken and not begun, and finishes sweeps that have
   * nothing left to do. One step of a loop.
   */
  async function tendSweeps(): Promise<void> {
    const before = new Date(clock.now().getTime() - silentAfterSeconds * 1000)
    // While this server was away nobody could ask.
    if (startedAt < before)
      for (const agent of await store.silentAgents(db, before, batchMax)) await giveBack(agent, before)
    for (const sweep of await store.exhaustedSweeps(db, batchMax)) await finishIfOver(sweep)
  }

  async function giveBack(agent: StoredAgent, before: Date): Promise<void> {
    const lost = await db.transaction().execute(async (trx) => {
      const sweep = await store.lockSweep(trx, agent.sweepId)
      const now = await store.findAgent(trx, agent.id)
      // It may have spoken since it was found.
      if (!sweep || !now || now.heartbeatAt >= before) return undefined
      const open = (await trialStore.openTrials(trx, sweep.id, agent.id)).filter(
        (trial) => standingOf(trial) === 'unstarted',
      )
      for (const trial of open)
        await trialStore.returnTrial(
          trx,
          sweep.id,
          trial.number,
          trial.lostCount + 1 < lostMax ? 'waiting' : 'dropped',
        )
      await store.endAgent(trx, agent.id, open.length > 0 ? 'crashed' : 'finished', clock.now())
      return { sweep, open }
    })
    if (!lost) return
    for (const { experimentId } of lost.open)
      if (experimentId !== null) await experiments.giveUp(experimentId, 'crashed')
    tell(lost.sweep)
  }

  async function finishIfOver(sweep: StoredSweep): Promise<void> {
    const isOver = await db.transaction().execute(async (trx) => {
      const locked = await store.lockSweep(trx, sweep.id)
      if (!locked?.exhaustedAt || (locked.state !== 'running' && locked.state !== 'pending')) return false
      const standings = (await trialStore.openTrials(trx, sweep.id)).map(standingOf)
      if (standings.some((each) => each === 'waiting' || each === 'unstarted' || each === 'running'))
        return false
      await store.updateSweep(trx, sweep.id, { state: 'finished', endedAt: clock.now() }, clock.now())
      return true
    })
    if (isOver) tell(sweep)
  }

  /**
   * What a controller on somebody's machine wants: experiments to begin, others to end. Entries that were seen before
   * change nothing.
   */
  async function followController(
    actor: Actor,
    sweepId: string,
    controller: Record<string, unknown>,
  ): Promise<void> {
    const sweep = await access.allowed(actor, 'run:edit', store.findSweepById(db, sweepId))
    const entries = Array.isArray(controller.schedule) ? controller.schedule.filter(isJsonObject) : []
    await db.transaction().execute(async (trx) => {
      await store.lockSweep(trx, sweep.id)
      const ids = entries.flatMap(({ id }) => (typeof id === 'string' ? [id] : []))
      const seen = await trialStore.knownSchedules(trx, sweep.id, ids)
      let number = (await trialStore.tallyTrials(trx, sweep.id)).nextNumber
      let isClosed = false
      for (const { id, data } of entries) {
        if (typeof id !== 'string' || id.length > 200 || seen.has(id)) continue
        seen.add(id)
        const args = isJsonObject(data) ? data.args : undefined
        if (args === null) isClosed = true
        if (!isJsonObject(args)) continue
        const trial = { number: number++, values: unwrapped(args), slug: randomText(8), scheduleId: id }
        await trialStore.insertTrial(trx, sweep.id, { ...trial, now: clock.now() })
      }
      await store.updateSweep(
        trx,
        sweep.id,
        { controller, ...(isClosed ? { exhaustedAt: clock.now() } : {}) },
        clock.now(),
      )
    })
    const slugs = Array.isArray(controller.earlystop)
      ? controller.earlystop.filter((slug): slug is string => typeof slug === 'string').slice(-earlyStopsMax)
      : []
    if (slugs.length > 0) {
      const found = await experiments.ofSweep(sweep.projectId, sweep.slug, earlyStopsMax, 'slim', slugs)
      await experiments.stopInSweep(
        actor,
        found.map((each) => each.id),
        `the controller of sweep ${sweep.slug}`,
      )
    }
    tell(sweep)
  }

  /** What became of the controller's wishes, newest last. */
  async function scheduled(sweep: StoredSweep): Promise<{ id: string; slug: string }[]> {
    const trials = await trialStore.scheduledTrials(db, sweep.id, batchMax)
    return trials.flatMap(({ id, slug }) => (slug ? [{ id, slug }] : []))
  }

  /**
   * Adds one configuration to what agents shall run, with its experiment, which waits.
   * @returns the experiment's id.
   */
  async function enqueue(
    actor: Actor,
    sweepId: string,
    values: Values,
    name: string | null,
  ): Promise<{ experimentId: string }> {
    const sweep = await access.allowed(actor, 'run:edit', store.findSweepById(db, sweepId))
    if (sweep.state === 'finished' || sweep.state === 'cancelled')
      throw new GridError('invalid', `Sweep ${sweep.slug} is ${sweep.state}; resume it first.`)
    const slug = randomText(8)
    const { experiment } = await experiments.upsert(actor, {
      team: sweep.teamSlug,
      project: sweep.projectName,
      slug,
      sweepName: sweep.slug,
      state: 'pending',
      config: wrapped(values),
      ...(name ? { name } : {}),
    })
    await db.transaction().execute(async (trx) => {
      await store.lockSweep(trx, sweep.id)
      const number = (await trialStore.tallyTrials(trx, sweep.id)).nextNumber
      await trialStore.insertTrial(trx, sweep.id, {
        number,
        values,
        slug,
        scheduleId: null,
        now: clock.now(),
      })
      await trialStore.noteExperiment(trx, sweep.id, number, experiment.id)
      await record(trx, actor, 'run:edit', {
        teamId: sweep.teamId,
        kind: 'sweep',
        id: sweep.id,
        details: { slug: sweep.slug, enqueued: slug },
      })
    })
    tell(sweep)
    return { experimentId: experiment.id }
  }

  /** The agent, if it is the actor's to speak for. */
  async function agentById(actor: Actor, id: string): Promise<StoredAgent> {
    return await access.allowed(actor, 'experiment:log', store.findAgent(db, id))
  }

  return { createAgent, heartbeat, agentById, tendSweeps, followController, scheduled, enqueue }
}

/** As the client writes a config: `{"lr": {"value": 0.1}}`. */
function wrapped(values: Values): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value }]))
}

/** The other way round. */
export function unwrapped(args: Record<string, unknown>): Values {
  return Object.fromEntries(
    Object.entries(args).map(([key, given]) => [
      key,
      isJsonObject(given) && 'value' in given ? given.value : given,
    ]),
  )
}

function gone(): never {
  throw new GridError('not_found', 'This sweep was deleted.')
}
