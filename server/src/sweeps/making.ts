/** What people do to sweeps: make, change, steer, delete. */
import { randomInt } from 'node:crypto'
import { GridError, type SweepAction, sweepActionsFrom, type SweepState } from '@teamgrid/api'
import { type Deed, pathOf, record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId, randomText } from '../lib/ids.ts'
import { storableText } from '../lib/tolerant-json.ts'
import { standingOf } from './deciding.ts'
import type { SweepsDeps } from './deps.ts'
import { parseConfigText, readConfig } from './sweep-config.ts'
import * as store from './store.ts'
import * as trialStore from './trial-store.ts'
import type { StoredSweep, SweepRef } from './types.ts'

export type NewSweepInput = {
  /** Absent: the actor's default team. */
  team?: string
  project: string
  /** YAML or JSON. */
  configText: string
  name?: string
  description?: string
  /** Slugs of experiments of the project whose results count from the start. */
  prior?: readonly string[]
}

type Parts = SweepsDeps & { tell: (sweep: Pick<StoredSweep, 'id' | 'teamId' | 'projectId'>) => void }

export function createMaking({ db, access, teams, experiments, events, deeds, clock, tell }: Parts) {
  /**
   * Makes a sweep, and the project if there is none of that name.
   * @returns the sweep, and what in its configuration looks like a mistake.
   * @throws GridError invalid, naming the key that cannot be carried out.
   */
  async function create(
    actor: Actor,
    input: NewSweepInput,
  ): Promise<{ sweep: StoredSweep; warnings: string[] }> {
    const teamSlug = input.team ?? defaultTeamOf(actor)
    const team = await teams.findTeam(teamSlug)
    const found = await access.allowed(
      actor,
      'run:create',
      team && { teamId: team.id, ownerId: null, kind: 'team', label: team.slug, makes: 'sweep' },
    )
    if (actor.userId === null)
      throw new GridError(
        'forbidden',
        'Sweeps belong to people: sign in with a key of a person or service account.',
      )
    const raw = parseConfigText(input.configText)
    const { config, warnings } = readConfig(raw)
    const { project, made } = await teams.ensureProject(
      db,
      actor,
      { id: found.teamId, slug: team!.slug },
      input.project,
    )
    if (made) events.publish({ type: 'project.changed', teamId: found.teamId, projectId: project.id })
    const prior = await experiments.annotatable(actor, project.id, [...new Set(input.prior)])
    const id = newId(clock.now().getTime())
    const name = input.name ?? config.name
    const description = input.description ?? config.description
    const sweep = {
      id,
      projectId: project.id,
      teamId: found.teamId,
      slug: randomText(8),
      name: name === null ? null : storableText(name).slice(0, 500),
      description: description === null ? null : storableText(description),
      config: raw,
      configText: storableText(input.configText),
      seed: randomInt(2 ** 31),
      createdBy: actor.attributedTo?.userId ?? actor.userId,
      viaUserId: actor.attributedTo ? actor.userId : null,
      now: clock.now(),
    }
    await db.transaction().execute(async (trx) => {
      await store.insertSweep(trx, sweep)
      await record(trx, actor, 'run:create', subjectOf({ ...sweep, projectName: project.name }))
    })
    await experiments.putInSweep(
      prior.map((experiment) => experiment.id),
      sweep.slug,
    )
    tell(sweep)
    return { sweep: (await store.findSweepById(db, id)) ?? gone(), warnings }
  }

  /** Replaces the configuration of a sweep; what was tried stays tried. */
  async function reconfigure(
    actor: Actor,
    id: string,
    configText: string,
  ): Promise<{ sweep: StoredSweep; warnings: string[] }> {
    const sweep = await access.allowed(actor, 'run:edit', store.findSweepById(db, id))
    const raw = parseConfigText(configText)
    const { config, warnings } = readConfig(raw)
    if (configText === sweep.configText) return { sweep, warnings }
    await db.transaction().execute(async (trx) => {
      await store.updateSweep(
        trx,
        id,
        {
          config: raw,
          configText: storableText(configText),
          exhaustedAt: null,
          ...(config.name === null ? {} : { name: config.name }),
          ...(config.description === null ? {} : { description: config.description }),
        },
        clock.now(),
      )
      await record(trx, actor, 'run:edit', subjectOf(sweep))
    })
    tell(sweep)
    return { sweep: (await store.findSweepById(db, id)) ?? gone(), warnings }
  }

  async function change(
    actor: Actor,
    ref: SweepRef,
    input: { name?: string; description?: string },
  ): Promise<StoredSweep> {
    const sweep = await access.allowed(actor, 'run:edit', store.findSweep(db, ref))
    await db.transaction().execute(async (trx) => {
      await store.updateSweep(
        trx,
        sweep.id,
        {
          ...(input.name === undefined ? {} : { name: storableText(input.name) }),
          ...(input.description === undefined ? {} : { description: storableText(input.description) }),
        },
        clock.now(),
      )
      await record(trx, actor, 'run:edit', subjectOf(sweep))
    })
    tell(sweep)
    return (await store.findSweepById(db, sweep.id)) ?? gone()
  }

  async function steer(actor: Actor, ref: SweepRef, action: SweepAction): Promise<StoredSweep> {
    return await steerFound(actor, await access.allowed(actor, 'run:stop', store.findSweep(db, ref)), action)
  }

  async function steerById(actor: Actor, id: string, action: SweepAction): Promise<StoredSweep> {
    return await steerFound(
      actor,
      await access.allowed(actor, 'run:stop', store.findSweepById(db, id)),
      action,
    )
  }

  /** Doing it twice is fine. @throws GridError invalid, for what makes no sense in the sweep's state. */
  async function steerFound(actor: Actor, found: StoredSweep, action: SweepAction): Promise<StoredSweep> {
    const now = clock.now()
    await db.transaction().execute(async (trx) => {
      const sweep = (await store.lockSweep(trx, found.id)) ?? gone()
      const next = nextState(sweep, action)
      if (next === sweep.state) return
      const ends = next === 'finished' || next === 'cancelled'
      await store.updateSweep(
        trx,
        sweep.id,
        { state: next, endedAt: ends ? now : null, ...(action === 'resume' ? { exhaustedAt: null } : {}) },
        now,
      )
      await record(trx, actor, 'run:stop', { ...subjectOf(sweep), details: { slug: sweep.slug, action } })
      await deeds.told(trx, actor, deedOn(sweep, actor, said[action]))
    })
    deeds.committed()
    if (action === 'cancel') await endAll(actor, found)
    tell(found)
    return (await store.findSweepById(db, found.id)) ?? gone()
  }

  /** Cancelling ends what runs, and what was handed out and has not begun will not begin. */
  async function endAll(actor: Actor, sweep: StoredSweep): Promise<void> {
    const live = await trialStore.experimentSlugs(db, sweep, { isLive: true })
    const open = await experiments.ofSweep(sweep.projectId, sweep.slug, live.length, 'slim', live)
    await experiments.stopInSweep(
      actor,
      open.map((each) => each.id),
      `sweep ${sweep.slug} was cancelled`,
    )
    const trials = await trialStore.openTrials(db, sweep.id)
    const handed = new Set(
      trials.filter((trial) => standingOf(trial) === 'unstarted').map((each) => each.experimentId),
    )
    for (const { id, state } of open)
      if (state === 'pending' && !handed.has(id)) await experiments.giveUp(id, 'killed')
  }

  /** Deletes the sweep; its experiments stay, and agents learn that it is gone. */
  async function remove(actor: Actor, ref: SweepRef): Promise<void> {
    const sweep = await access.allowed(actor, 'sweep:delete', store.findSweep(db, ref))
    await db.transaction().execute(async (trx) => {
      await store.deleteSweep(trx, sweep.id)
      await record(trx, actor, 'sweep:delete', subjectOf(sweep))
      await deeds.told(trx, actor, { ...deedOn(sweep, actor, 'deleted'), link: null })
    })
    deeds.committed()
    tell(sweep)
  }

  return { create, reconfigure, change, steer, steerById, remove }
}

function nextState(sweep: StoredSweep, action: SweepAction): SweepState {
  const goals = { pause: 'paused', resume: 'running', stop: 'finished', cancel: 'cancelled' } as const
  const goal = goals[action]
  if (sweep.state === goal) return goal
  if (action === 'resume' && sweep.state === 'pending') return 'pending'
  if (sweepActionsFrom[action].includes(sweep.state)) return goal
  throw new GridError('invalid', `Sweep ${sweep.slug} is ${sweep.state}, so you cannot ${action} it.`)
}

function subjectOf(sweep: Pick<StoredSweep, 'teamId' | 'id' | 'slug' | 'name' | 'projectName'>) {
  const { teamId, id, slug, name, projectName } = sweep
  return {
    teamId,
    kind: 'sweep',
    id,
    details: { project: projectName, slug, ...(name === null ? {} : { name }) },
  }
}

const said = { pause: 'paused', resume: 'resumed', stop: 'stopped', cancel: 'cancelled' } as const

function deedOn(sweep: StoredSweep, actor: Actor, did: string): Deed {
  const title = `${actor.username} ${did} sweep ${sweep.name ?? sweep.slug}`
  return {
    teamId: sweep.teamId,
    ownerId: sweep.ownerId,
    createdById: sweep.createdById ?? null,
    title,
    text: `${title} in project ${sweep.projectName}.`,
    link: pathOf(sweep.teamSlug, sweep.projectName, 'sweeps', sweep.slug),
  }
}

function defaultTeamOf(actor: Actor): string {
  const slug = actor.defaultTeamId === null ? undefined : actor.memberships.get(actor.defaultTeamId)?.slug
  if (slug === undefined)
    throw new GridError('invalid', 'Say which team this belongs to: there is no default team.')
  return slug
}

function gone(): never {
  throw new GridError('not_found', 'This sweep was deleted.')
}
