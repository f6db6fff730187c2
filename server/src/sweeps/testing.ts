/** This slice over real stores, for its own tests: what an agent does, without its process. */
import type { Actor } from '../actor.ts'
import { openBench as openExperiments } from '../experiments/testing.ts'
import type { Values } from './parameters.ts'
import { createSweeps } from './service.ts'
import type { AgentCommand, StoredAgent, StoredSweep } from './types.ts'

export type Bench = Awaited<ReturnType<typeof openBench>>

/** Call once per test file, and `close` at its end. */
export async function openBench() {
  const bench = await openExperiments()
  const sweeps = createSweeps(bench)

  /** A sweep of the given YAML in a project of its own. */
  async function aSweep(actor: Actor, configText: string, project = 'digits'): Promise<StoredSweep> {
    bench.time.now += 1
    return (await sweeps.create(actor, { project, configText })).sweep
  }

  const refOf = (sweep: StoredSweep) => ({
    team: sweep.teamSlug,
    project: sweep.projectName,
    slug: sweep.slug,
  })

  async function anAgent(actor: Actor, sweep: StoredSweep, host = 'gpu-1'): Promise<StoredAgent> {
    return await sweeps.createAgent(actor, refOf(sweep), host)
  }

  /** What the script of an experiment does: log the values of a metric one by one, and end. */
  async function logs(
    actor: Actor,
    sweep: StoredSweep,
    slug: string,
    key: string,
    values: number[],
    end: number | null = 0,
    offset = 0,
  ): Promise<void> {
    const ref = { team: sweep.teamSlug, project: sweep.projectName, slug }
    await bench.experiments.append(actor, ref, {
      history: {
        offset,
        lines: values.map((value, index) => JSON.stringify({ _step: offset + index, [key]: value })),
      },
      ...(values.length > 0 ? { summary: { [key]: values.at(-1) } } : {}),
      ...(end === null ? {} : { complete: { exitCode: end } }),
    })
  }

  /** One experiment from asking to its end. @returns what the agent was told, and the values tried. */
  async function worksOnce(
    actor: Actor,
    sweep: StoredSweep,
    agent: StoredAgent,
    loss?: (values: Values) => number,
  ): Promise<AgentCommand | undefined> {
    const [command] = await sweeps.heartbeat(actor, agent.id, [])
    if (command?.type !== 'run') return command
    await sweeps.heartbeat(actor, agent.id, [command.slug])
    await logs(actor, sweep, command.slug, 'loss', loss ? [loss(command.values)] : [])
    return command
  }

  return { ...bench, sweeps, aSweep, anAgent, logs, worksOnce, refOf }
}
