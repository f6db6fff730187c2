/** Sweeps: searches over parameters, run by agents on any machine. The themes are in the files composed here. */
import type { Actor } from '../actor.ts'
import { createAgents } from './agents.ts'
import type { SweepsDeps } from './deps.ts'
import { createLearner } from './learner.ts'
import { createMaking } from './making.ts'
import { createReading } from './reading.ts'
import type { StoredSweep } from './types.ts'

export type { SweepsDeps } from './deps.ts'
export { unwrapped } from './agents.ts'
export { expectedCount, readConfig } from './sweep-config.ts'
export type Sweeps = ReturnType<typeof createSweeps>

export function createSweeps(deps: SweepsDeps) {
  const tell = ({ id, teamId, projectId }: Pick<StoredSweep, 'id' | 'teamId' | 'projectId'>) =>
    deps.events.publish({ type: 'sweep.changed', teamId, projectId, sweepId: id })
  const learner = createLearner()
  const making = createMaking({ ...deps, tell })
  const { details, shown, ...reading } = createReading({ ...deps, learner })
  return {
    ...making,
    ...createAgents({ ...deps, learner, tell }),
    ...reading,
    /** As `create`, `steer` and `change`, answered as pages show a sweep. */
    shown: {
      create: async (actor: Actor, input: Parameters<typeof making.create>[1]) =>
        details(actor, (await making.create(actor, input)).sweep),
      steer: async (...given: Parameters<typeof making.steer>) =>
        shown(given[0], await making.steer(...given)),
      change: async (...given: Parameters<typeof making.change>) =>
        details(given[0], await making.change(...given)),
    },
  }
}
