/** A submission becomes a run with its experiments, all in one transaction, before any machine hears of it. */
import { GridError, type RunDetails, RunSpec } from '@teamgrid/api'
import type { GridClient } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { readableName } from '../lib/readable-name.ts'
import { storableText, toStrictJson } from '../lib/tolerant-json.ts'
import { machineOf } from './charging.ts'
import { checkPaths, commandLine, configOf, plan } from './command.ts'
import type { Reading } from './reading.ts'
import type { RunsDeps } from './service.ts'
import { findCode, findRunById, type StoredDatastore } from './store.ts'

export type SubmitInput = Parameters<GridClient['runs']['submit']>[0]

const defaultProject = 'uncategorized'
const namesTried = 20
/** Environment variables that the platform sets itself; others would break how an experiment finds its way home. */
const reserved = new Set([
  'WANDB_API_KEY',
  'WANDB_BASE_URL',
  'WANDB_RUN_ID',
  'WANDB_RESUME',
  'GRID_API_KEY',
  'GRID_URL',
])

export function createSubmitting(
  { db, access, teams, experiments, datastores, compute, usage, sealed, events, clock }: RunsDeps,
  reading: Reading,
) {
  async function submit(actor: Actor, input: SubmitInput): Promise<RunDetails> {
    const team = await access.allowed(actor, 'run:create', teams.teamGuard(input.team))
    if (actor.userId === null) throw new GridError('forbidden', 'Runs belong to people: sign in as one')
    const spec = RunSpec.parse(input.spec)
    checkPaths(spec)
    const source = input.clonedFrom ? await reading.cloneable(actor, input.clonedFrom) : undefined
    const code = input.code?.sha256 ?? null
    const archive = code === null ? undefined : await findCode(db, team.id, code)
    if (code !== null && !archive)
      throw new GridError('not_found', 'The code of this run is not here; send it first')
    // What may be a secret comes along with its owner alone; others have to bring their own.
    const isOwn = source !== undefined && source.ownerId === actor.userId
    const environment = { ...(isOwn ? reading.environmentOf(source) : {}), ...input.environment }
    const missing = (source?.environmentNames ?? []).filter((name) => !Object.hasOwn(environment, name))
    const refused = Object.keys(environment).filter((name) => reserved.has(name))
    if (refused.length > 0)
      throw new GridError('invalid', `${refused.join(', ')} is set by the server for each experiment`, {
        hint: 'Leave it away; the script finds its experiment by itself.',
      })
    const planned = plan(spec)
    const cluster = await compute.clusters.choose(team.id, spec.cluster, spec.instanceType)
    const mounts = await mountsOf(actor, spec)
    const warnings = [...planned.warnings]
    if (source && missing.length > 0)
      warnings.push(
        `${missing.join(', ')} of ${source.name} stayed with ${source.createdBy.username}: set what the script needs.`,
      )
    const funds = await usage.proveFunds({
      teamId: team.id,
      userId: actor.attributedTo?.userId ?? actor.userId,
      projectId: null,
      cluster: cluster.name,
      machine: machineOf(
        { instanceType: cluster.machine?.name ?? null, resources: spec.resources },
        cluster.name,
      ),
      isSpot: spec.useSpot,
      machines: planned.experiments.length,
    })
    warnings.push(...funds.warnings)
    const runId = newId(clock.now().getTime())
    const owner = {
      teamId: team.id,
      createdBy: actor.attributedTo?.userId ?? actor.userId,
      viaUserId: actor.attributedTo ? actor.userId : null,
    }
    const made = await db
      .transaction()
      .execute(async (trx) => {
        const { project } = await teams.ensureProject(trx, actor, team, input.project ?? defaultProject)
        await access.allowed(actor, 'run:create', { ...project, teamRules: team.teamRules })
        const name = input.name ?? (await freeName(trx, team.id))
        if (await isTaken(trx, team.id, name)) throw nameTaken(name)
        const names = Object.keys(environment)
        await trx
          .insertInto('runs')
          .values({
            id: runId,
            project_id: project.id,
            team_id: team.id,
            name,
            description: storableText(input.description ?? ''),
            spec: toStrictJson(spec),
            sealed_environment:
              names.length > 0 ? sealed.seal(JSON.stringify(environment), `run:${runId}`) : null,
            environment_names: names,
            code_sha256: code,
            git: input.git ? toStrictJson(input.git) : null,
            datastores: JSON.stringify(mounts),
            warnings: JSON.stringify(warnings),
            cluster_id: cluster.id,
            cloned_from: source?.id ?? null,
            created_by: owner.createdBy,
            via_user_id: owner.viaUserId,
            created_at: clock.now(),
          })
          .execute()
        const rows = planned.experiments.map((each, number) => ({
          ...each,
          number,
          id: newId(clock.now().getTime()),
          name: `${name}-exp${number}`,
        }))
        const taken = await experiments.inRun.createForRun(
          trx,
          { projectId: project.id, ...owner },
          rows.map((each) => ({
            id: each.id,
            slug: each.name,
            name: each.name,
            content: {
              group: name,
              jobType: 'experiment',
              program: spec.script,
              config: configOf(each.parameters),
              ...(input.tags?.length ? { tags: input.tags } : {}),
              ...(input.git?.commit ? { commit: input.git.commit } : {}),
              ...(input.git?.remote ? { repo: input.git.remote } : {}),
            },
          })),
        )
        if (taken.length > 0)
          throw new GridError('conflict', `There is an experiment ${taken[0]} in ${project.name} already`, {
            hint: 'Choose another name for the run.',
          })
        for (let start = 0; start < rows.length; start += 1000)
          await trx
            .insertInto('run_experiments')
            .values(
              rows.slice(start, start + 1000).map((each) => ({
                run_id: runId,
                number: each.number,
                experiment_id: each.id,
                arguments: JSON.stringify(each.arguments),
                parameters: JSON.stringify(each.parameters),
              })),
            )
            .execute()
        for (const each of rows)
          for (const mount of mounts)
            await datastores.pin(trx, mount, {
              kind: 'experiment',
              id: each.id,
              label: each.name,
              teamId: team.id,
              ownerId: owner.createdBy,
              isPrivate: project.visibility === 'private',
            })
        for (const each of rows)
          await compute.createAttempt(trx, {
            kind: 'experiment',
            ownerId: each.id,
            teamId: team.id,
            userId: owner.viaUserId ?? owner.createdBy,
            clusterId: cluster.id,
            number: 0,
            spec: {
              label: each.name,
              argv: each.argv,
              cwd: spec.folder,
              env: {},
              code: archive ? { sha256: code!, sizeBytes: archive.size_bytes } : null,
              environment: spec.dependencies,
              image: null,
              datastores: mounts.map(({ datastoreId, version, digest, name, mountPath }) => ({
                datastoreId,
                version,
                digest,
                name,
                mountPath,
              })),
              actions: spec.actions,
              resources: {
                cpus: spec.resources.cpus,
                memMiB: spec.resources.memoryMiB,
                gpus: spec.resources.gpus || (cluster.machine?.gpus ?? 0),
                ...(spec.resources.diskGiB ? { diskGiB: spec.resources.diskGiB } : {}),
                ...(spec.resources.timeLimitSeconds ? { timeLimitSec: spec.resources.timeLimitSeconds } : {}),
              },
              instanceType: cluster.machine?.name ?? null,
              preemptible: spec.useSpot,
              graceSec: spec.graceSeconds,
            },
          })
        await record(trx, actor, source ? 'run:clone' : 'run:create', {
          teamId: team.id,
          kind: 'run',
          id: runId,
          details: {
            name,
            project: project.name,
            experiments: rows.length,
            command: commandLine(spec.script, spec.arguments),
          },
        })
        // Nothing is kept of what was only asked for; the transaction ends here, with everything proven.
        if (input.dryRun) throw new DryRun(await reading.shown((await findRunById(trx, runId))!, trx))
        return { name, ids: rows.map((each) => each.id) }
      })
      .catch((error: unknown) => {
        if (error instanceof DryRun) return error
        throw error
      })
    if (made instanceof DryRun) return made.details
    for (const id of made.ids) await experiments.inRun.refresh(id)
    const run = (await findRunById(db, runId))!
    events.publish({ type: 'project.changed', teamId: run.teamId, projectId: run.projectId })
    compute.wake()
    return await reading.shown(run)
  }

  async function mountsOf(actor: Actor, spec: RunSpec): Promise<StoredDatastore[]> {
    const mounts: StoredDatastore[] = []
    for (const { reference, mountPath } of spec.datastores) {
      const mount = await datastores.mountable(actor, reference, 'datastore:use')
      const path = mountPath ?? `/datastores/${mount.name}`
      if (!/^\/(?!\/)[^\0]*$/.test(path) || path.split('/').includes('..'))
        throw new GridError('invalid', `"${path}" is no place for a datastore`, {
          hint: 'Give an absolute path, such as /datastores/cats.',
        })
      if (mounts.some((each) => each.mountPath === path))
        throw new GridError('invalid', `Two datastores cannot both be at ${path}`, {
          hint: 'Say where one of them goes with --datastore_mount_dir.',
        })
      const { datastoreId, versionId, digest, owner, name, number } = mount
      mounts.push({ datastoreId, versionId, digest, owner, name, version: number, mountPath: path })
    }
    return mounts
  }

  async function freeName(trx: RunsDeps['db'], teamId: string): Promise<string> {
    for (let tried = 0; tried < namesTried; tried++) {
      const name = readableName(Math.floor(Math.random() * 10_000))
      if (!(await isTaken(trx, teamId, name))) return name
    }
    throw new GridError('unavailable', 'No free name was found; give the run one with --name')
  }

  async function isTaken(trx: RunsDeps['db'], teamId: string, name: string): Promise<boolean> {
    const found = await trx
      .selectFrom('runs')
      .select('id')
      .where('team_id', '=', teamId)
      .where('name', '=', name)
      .where('deleted_at', 'is', null)
      .executeTakeFirst()
    return found !== undefined
  }

  return { submit }
}

class DryRun extends Error {
  readonly details: RunDetails
  constructor(details: RunDetails) {
    super('Only asked')
    this.details = details
  }
}

function nameTaken(name: string): GridError {
  return new GridError('conflict', `A run ${name} already exists`, {
    hint: 'Choose a unique name with --name, or leave it away for a new one.',
  })
}
