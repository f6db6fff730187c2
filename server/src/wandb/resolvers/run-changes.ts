/** What the client does to runs: make, change, stop, delete, report. */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import type { Experiments } from '../../experiments/service.ts'
import type { Artifacts } from '../../artifacts/service.ts'
import type { StoredExperiment } from '../../experiments/types.ts'
import type { Resolvers } from '../graphql.ts'
import { entityOf } from './places.ts'
import { readStorageId, upsertFrom, type UpsertBucketInput } from '../words.ts'

type AlertInput = {
  entityName: string
  projectName: string
  runName: string
  title: string
  text: string
  severity?: 'INFO' | 'WARN' | 'ERROR' | null
  waitDuration?: number | null
}

type RewindInput = {
  entityName?: string | null
  projectName?: string | null
  runName: string
  metricName: string
  metricValue: number
}

const alertLevels = { INFO: 'info', WARN: 'warn', ERROR: 'error' } as const

/** From which states a run may be put into these by hand. Source: `Run.update_state` of the client. */
const stateChanges: Record<string, readonly StoredExperiment['state'][]> = {
  pending: ['running', 'failed', 'crashed', 'preempted'],
  failed: ['pending', 'running'],
}

export function runChangeResolvers({
  experiments,
  artifacts,
}: {
  experiments: Experiments
  artifacts: Pick<Artifacts, 'deleteMade'>
}): Resolvers {
  /** @throws GridError not_found, for an id of ours and any other alike. */
  async function runOf(actor: Actor, givenId: string): Promise<StoredExperiment> {
    const id = readStorageId('Run', givenId)
    const experiment = id && (await experiments.findById(actor, id))
    if (!experiment)
      throw new GridError('not_found', 'There is no run with this id, or it is not yours to see')
    return experiment
  }

  return {
    Mutation: {
      async upsertBucket(_: unknown, { input }: { input: UpsertBucketInput }, { actor, shared }) {
        const { experiment, inserted } = await experiments.upsert(actor, upsertFrom(input, { shared }))
        return { bucket: experiment, inserted, serverSettings: { serverMessages: [] } }
      },
      async stopRun(_: unknown, { input }: { input: { id: string } }, { actor }) {
        const { id } = await runOf(actor, input.id)
        await experiments.requestStop(actor, id)
        return { success: true }
      },
      async deleteRun(
        _: unknown,
        { input }: { input: { id: string; deleteArtifacts?: boolean | null } },
        { actor },
      ) {
        const id = readStorageId('Run', input.id)
        if (id !== undefined && (await experiments.wasRemoved(actor, id))) return { success: true }
        const run = await runOf(actor, input.id)
        if (input.deleteArtifacts) {
          await experiments.proveRemovable(actor, run.id)
          await artifacts.deleteMade(actor, run)
        }
        await experiments.remove(actor, run.id)
        return { success: true }
      },
      async updateRunState(_: unknown, { input }: { input: { id: string; state: string } }, { actor }) {
        const run = await runOf(actor, input.id)
        const from = stateChanges[input.state]
        if (run.sweepName !== null || !from?.includes(run.state)) {
          throw new GridError('invalid', `invalid state transition: ${run.state} to ${input.state}`)
        }
        if (input.state === 'pending') await experiments.upsert(actor, { id: run.id, state: 'pending' })
        else await experiments.append(actor, refOf(run), { complete: { exitCode: 1 } })
        return { success: true }
      },
      async rewindRun(_: unknown, { input }: { input: RewindInput }, { actor }) {
        if (input.metricName !== '_step' || !(input.metricValue >= 0))
          throw new GridError('invalid', 'Runs are rewound to a step: resume_from="<run>?_step=<number>".')
        const ref = {
          team: entityOf(actor, input.entityName),
          slug: input.runName,
          ...(input.projectName ? { project: input.projectName } : {}),
        }
        return { rewoundRun: await experiments.rewind(actor, ref, Math.floor(input.metricValue)) }
      },
      async notifyScriptableRunAlert(_: unknown, { input }: { input: AlertInput }, { actor }) {
        await experiments.addAlert(
          actor,
          { team: input.entityName, project: input.projectName, slug: input.runName },
          {
            title: input.title,
            text: input.text,
            level: alertLevels[input.severity ?? 'INFO'],
            waitSeconds: Math.max(0, (input.waitDuration ?? 0) / 1000),
          },
        )
        return { success: true }
      },
    },
  }
}

function refOf({ teamSlug, projectName, slug }: StoredExperiment) {
  return { team: teamSlug, project: projectName, slug }
}
