/** Experiments as machines work on them: what they get, what comes of them, and how their state follows. */
import type { AttemptState, ExperimentState } from '@teamgrid/api'
import type { Attempt, AttemptChange } from '../compute/service.ts'
import { isFinal } from '../compute/service.ts'
import type { RunsDeps } from './service.ts'
import { type Db, findCode, runOfExperiment } from './store.ts'

/** Tries after the machine was lost; after a preemption there is no limit. */
const lostTriesMax = 3

const states: Record<AttemptState, ExperimentState> = {
  created: 'pending',
  submitting: 'pending',
  queued: 'pending',
  starting: 'pending',
  building: 'pending',
  running: 'running',
  stopping: 'running',
  syncing: 'running',
  succeeded: 'finished',
  failed: 'failed',
  stopped: 'killed',
  timeout: 'failed',
  oom: 'failed',
  preempted: 'preempted',
  lost: 'crashed',
  rejected: 'failed',
}

export function createOwning({
  db,
  experiments,
  datastores,
  compute,
  blobs,
  sealed,
  publicUrl,
  log,
}: RunsDeps): void {
  const { inRun } = experiments

  compute.own('experiment', {
    async environment(attempt, { origin, token }) {
      const found = await runOfExperiment(db, attempt.ownerId)
      if (!found) return {}
      const { run } = found
      const given = run.sealedEnvironment
        ? (JSON.parse(sealed.open(run.sealedEnvironment, `run:${run.id}`)) as Record<string, string>)
        : {}
      const name = attempt.spec.label
      return {
        PYTHONUNBUFFERED: '1',
        GRID_SCRATCH_DIR: '/tmp',
        GRID_DATASTORES_DIR: '/datastores',
        WANDB_ENTITY: run.teamSlug,
        WANDB_PROJECT: run.projectName,
        WANDB_NAME: name,
        WANDB_RUN_GROUP: run.name,
        WANDB_JOB_TYPE: 'experiment',
        ...(publicUrl && publicUrl !== origin ? { WANDB_APP_URL: publicUrl } : {}),
        ...given,
        // From here on the server's word counts: by these the script finds its experiment.
        GRID_URL: origin,
        GRID_API_KEY: token,
        GRID_RUN_ID: run.id,
        GRID_RUN_NAME: run.name,
        GRID_EXPERIMENT_ID: attempt.ownerId,
        GRID_EXPERIMENT_NAME: name,
        GRID_ATTEMPT_ID: attempt.id,
        GRID_ATTEMPT_NO: String(attempt.number),
        GRID_USER_ID: attempt.userId,
        GRID_CLUSTER_ID: attempt.clusterId,
        GRID_INSTANCE_TYPE: attempt.spec.instanceType ?? '',
        WANDB_BASE_URL: origin,
        WANDB_API_KEY: token,
        WANDB_RUN_ID: name,
        WANDB_RESUME: 'allow',
        // The agent catches the output already.
        WANDB_CONSOLE: 'off',
      }
    },
    async code(attempt) {
      const code = attempt.spec.code
      const found = code && (await findCode(db, attempt.teamId, code.sha256))
      if (!found) throw new Error(`The code of attempt ${attempt.id} is gone`)
      return await blobs.get(found.blob_key)
    },
    async firstLine(attempt) {
      return (await inRun.load(attempt.ownerId))?.consoleLines ?? 0
    },
    async output(attempt, actor, first, lines) {
      const timeMs = Date.now()
      await inRun.writeOutput(
        actor,
        attempt.ownerId,
        first,
        lines.map((text) => ({ timeMs, level: 'info', label: '', text })),
      )
    },
    datastore(attempt, { datastoreId, number }) {
      const by = { kind: 'experiment', id: attempt.ownerId } as const
      return {
        manifest: () => datastores.pinnedManifest(by, datastoreId, number),
        pack: (sha256Hexes) => datastores.pinnedPack(by, datastoreId, number, sha256Hexes),
        check: (sha256Hex) => datastores.pinnedCheck(by, datastoreId, number, sha256Hex),
      }
    },
    async file(attempt, path, body) {
      await experiments.storeFile(attempt.ownerId, path, body)
    },
    beat: (attempt) => inRun.beat(attempt.ownerId),
  })

  compute.onAttempt(async (trx, { attempt, from, to, at }) => {
    if (attempt.kind !== 'experiment' || from === to) return
    if (isFinal(to) && (await triesAgain(trx, attempt))) {
      await inRun.setRunState(trx, attempt.ownerId, { state: 'pending' })
      await compute.createAttempt(trx, { ...attempt, number: attempt.number + 1, spec: attempt.spec })
      return
    }
    // What it mounted may be deleted from now on.
    if (isFinal(to)) await datastores.unpin(trx, { kind: 'experiment', id: attempt.ownerId })
    await inRun.setRunState(trx, attempt.ownerId, {
      state: states[to],
      ...(isFinal(to) ? { exitCode: attempt.exitCode, endedAt: at } : {}),
    })
  })

  compute.afterAttempt(({ attempt }: AttemptChange) => {
    if (attempt.kind !== 'experiment') return
    inRun
      .refresh(attempt.ownerId)
      .catch((error: unknown) => log('Telling of an experiment’s state failed', error))
  })

  // A stop is asked for in many places: on pages, by sweeps, by who deletes. All of them mean the machine too.
  compute.onTick(async (live) => {
    const running = live.filter((each) => each.kind === 'experiment' && each.stopRequestedAt === null)
    const unwanted = await inRun.unwanted(running.map((each) => each.ownerId))
    if (unwanted.length > 0) await compute.requestStop(db, unwanted)
  })

  async function triesAgain(trx: Db, attempt: Attempt): Promise<boolean> {
    if (attempt.state !== 'preempted' && attempt.state !== 'lost') return false
    if (attempt.stopRequestedAt !== null) return false
    const found = await runOfExperiment(trx, attempt.ownerId)
    if (!found?.run.spec.autoResume) return false
    return attempt.state === 'preempted' || attempt.number < lostTriesMax
  }
}
