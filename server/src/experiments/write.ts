/** What scripts do: begin an experiment and log to it. */
import { GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId, randomText } from '../lib/ids.ts'
import { readableName } from '../lib/readable-name.ts'
import { isJsonObject, storableText } from '../lib/tolerant-json.ts'
import type { Append } from '../stores/clickhouse/metric-types.ts'
import type { StoredProject } from '../teams/projects.ts'
import { createBranching, findInheritedSummaries } from './branch.ts'
import type { Parts } from './deps.ts'
import { checkSlug, stateAfterExit, subjectOf } from './experiment.ts'
import { builtInFacts, changedFacts, factsOf, lifeFacts, summaryFacts } from './facts.ts'
import { withInherited } from './inherited-summary.ts'
import { pointsOf } from './points.ts'
import { placeSharedLines, type SharedStream } from './shared-lines.ts'
import {
  type Claim,
  claimLines,
  type Db,
  findExperimentById,
  findSlimExperiment,
  finishExperiment,
  insertExperiment,
  type LineRange,
  lockExperiment,
  nextNumber,
  updateExperiment,
} from './store.ts'
import { withDatabase } from './trouble.ts'
import type { ExperimentRef, StoredExperiment, StreamChunk, UpsertExperiment } from './types.ts'

const defaultProject = 'uncategorized'
/** Line numbers are 32-bit in the metric store. */
const linesMax = 2 ** 32

export function createWriter(parts: Parts) {
  const { db, access, teams, metrics, facts, news, events, clock } = parts
  const branching = createBranching(parts)
  /** Forks being made: copying a long history may outlast the client's patience, which then asks again. */
  const forking = new Map<string, ReturnType<typeof insert>>()

  /**
   * Finds the experiment that is meant, or makes it; then changes what is given. Team and project come back in their
   * canonical spelling. The project is made if there is none of that name.
   *
   * @throws GridError not_found naming the teams one may write to; forbidden for view-only members and for experiments
   *   of others; invalid for names that cannot be.
   */
  async function upsert(
    actor: Actor,
    input: UpsertExperiment,
  ): Promise<{ experiment: StoredExperiment; inserted: boolean }> {
    return await withDatabase(async () => {
      if (input.id !== undefined) {
        const found = await access.allowed(actor, 'experiment:log', findExperimentById(db, input.id))
        return { experiment: (await change(found, input)) ?? gone(), inserted: false }
      }
      const slug = checkSlug(input.slug ?? randomText(8))
      const known = input.slug === undefined ? undefined : await findKnown(actor, input, slug)
      const resumed = known && (await change(known, { ...input, state: undefined }))
      if (resumed) return { experiment: resumed, inserted: false }
      const project = await projectOf(actor, input)
      const ref = { team: project.teamSlug, project: project.name, slug }
      // Whoever loses the race to make it finds it on the second round; a third is for one that is deleted meanwhile.
      for (let round = 0; round < 3; round++) {
        const existing = await findSlimExperiment(db, ref)
        // One that moved away to where the actor cannot log leaves its address to a new one.
        if (existing?.projectId === project.id) {
          await access.allowed(actor, 'experiment:log', existing)
          // Its state is what a new one begins with; one that exists has a state.
          const changed = await change(existing, { ...input, state: undefined })
          if (!changed) continue
          return { experiment: changed, inserted: false }
        }
        const made = await (input.branchPoint
          ? fork(actor, project, slug, input)
          : insert(actor, project, slug, input))
        if (made) return { experiment: made, inserted: true }
      }
      throw new GridError('unavailable', `${slug} is being changed by somebody else; try again.`, {
        retryAfterSeconds: 1,
      })
    })
  }

  /** The experiment of that address, also one that moved away, if the actor may log to it. */
  async function findKnown(actor: Actor, input: UpsertExperiment, slug: string) {
    // A job's script may name a project of its own; what it was started for is its experiment all the same.
    const [, own] = /^experiment:(.+)$/.exec(actor.scope) ?? []
    const started = own === undefined ? undefined : await findExperimentById(db, own)
    if (started?.slug === slug && (await access.permits(actor, 'experiment:log', started))) return started
    const team = input.team ?? defaultTeamOf(actor)
    const found = await findSlimExperiment(db, { team, project: input.project ?? defaultProject, slug })
    return found && (await access.permits(actor, 'experiment:log', found)) ? found : undefined
  }

  /** The project to work in, made if need be. */
  async function projectOf(actor: Actor, input: UpsertExperiment): Promise<StoredProject> {
    const slug = input.team ?? defaultTeamOf(actor)
    const team = await teams.findTeam(slug)
    const visible = team && (await access.permits(actor, 'project:read', guardOf(team)))
    if (!visible) throw noSuchTeam(actor, slug)
    const name = input.project ?? defaultProject
    const existing = await teams.findProject(team.id, name)
    if (existing) return existing
    const { project, made } = await teams.ensureProject(db, actor, team, name)
    if (made) events.publish({ type: 'project.changed', teamId: team.id, projectId: project.id })
    return project
  }

  /** The same fork asked for again while it is being made is made once. */
  async function fork(actor: Actor, project: StoredProject, slug: string, input: UpsertExperiment) {
    const name = JSON.stringify([actor.userId, project.id, slug, input.branchPoint])
    const making = forking.get(name) ?? insert(actor, project, slug, input)
    forking.set(name, making)
    try {
      return await making
    } finally {
      forking.delete(name)
    }
  }

  async function insert(
    actor: Actor,
    project: StoredProject,
    slug: string,
    input: UpsertExperiment,
  ): Promise<StoredExperiment | undefined> {
    await access.allowed(actor, 'experiment:create', {
      ...guardOf({ id: project.teamId, slug: project.teamSlug }),
      visibility: project.visibility ?? 'team',
      keptById: project.ownerId,
    })
    if (actor.userId === null)
      throw new GridError(
        'forbidden',
        'Experiments belong to people: sign in with a key of a person or service account.',
      )
    const id = newId(clock.now().getTime())
    const { branchPoint } = input
    const inherited =
      branchPoint &&
      (await branching.inherit(
        actor,
        { team: project.teamSlug, project: project.name, slug: branchPoint.slug },
        branchPoint.step,
        id,
      ))
    const row = {
      id,
      projectId: project.id,
      teamId: project.teamId,
      slug,
      createdBy: actor.attributedTo?.userId ?? actor.userId,
      viaUserId: actor.attributedTo ? actor.userId : null,
      now: clock.now(),
      inherited,
    }
    const made = await facts.inTurn(id, async () => {
      const experiment = await db.transaction().execute(async (trx) => {
        const name = input.name || readableName(await nextNumber(trx, project.id))
        if (!(await insertExperiment(trx, { ...row, name }, input))) return undefined
        if (actor.unknownMember !== undefined) await warnOfUnknown(trx, actor, row)
        const fresh = await findExperimentById(trx, id)
        if (fresh) await record(trx, actor, 'experiment:create', subjectOf(fresh))
        return fresh
      })
      if (!experiment) return { result: undefined, append: {} }
      const all = [...factsOf(experiment).values()]
      return {
        result: experiment,
        append: { facts: [{ projectId: project.id, experimentId: id, facts: all, removedKeys: [] }] },
      }
    })
    if (made) tellChanged(made)
    // Somebody else has just made it, with a copy of his own.
    else if (inherited) await metrics.forget([id])
    return made
  }

  /** Work that was meant for somebody stands under the service account: said where people look for it. */
  async function warnOfUnknown(trx: Db, actor: Actor, row: { id: string; teamId: string; now: Date }) {
    const named = storableText(actor.unknownMember!).slice(0, 100)
    await trx
      .insertInto('alerts')
      .values({
        id: newId(row.now.getTime()),
        team_id: row.teamId,
        experiment_id: row.id,
        title: `${named} is nobody in this team`,
        text: `WANDB_USERNAME or GRID_USERNAME names ${named}, who is not a member here, so this was logged as ${actor.username}.`,
        level: 'warn',
        created_at: row.now,
      })
      .execute()
  }

  /** @returns undefined when it was deleted meanwhile. */
  async function change(
    { id }: { id: string },
    input: UpsertExperiment,
  ): Promise<StoredExperiment | undefined> {
    const changed = await facts.inTurn(id, async () => {
      const found = await db.transaction().execute(async (trx) => {
        const before = await lockExperiment(trx, id)
        if (!before) return undefined
        await updateExperiment(trx, id, input.shared ? withWriters(before, input) : input, clock.now())
        return { before, after: (await findExperimentById(trx, id)) ?? gone() }
      })
      if (!found) return { result: undefined, append: {} }
      const { before, after } = found
      const update = await facts.updateOf(after, () => changedFacts(factsOf(before), factsOf(after)))
      return { result: after, append: { facts: update } }
    })
    if (changed) tellChanged(changed)
    return changed
  }

  /**
   * Stores one message of a script. Lines are told apart by their number, so a message may come twice, late or in
   * pieces. Any message is a sign of life, and makes an experiment that had ended run again.
   *
   * @returns when everything in it is durable; whether somebody wants the script to stop.
   * @throws GridError not_found for an experiment that is deleted or not the actor's to see; overloaded, unavailable or
   *   storage_full (with `retryAfterSeconds`) when the message should be sent again later.
   */
  async function append(
    actor: Actor,
    ref: ExperimentRef,
    chunk: StreamChunk,
  ): Promise<{ stopRequested: boolean }> {
    return await withDatabase(async () => {
      const experiment = await access.allowed(actor, 'experiment:log', findSlimExperiment(db, ref))
      const { id, teamId, projectId } = experiment
      checkOffsets(chunk)
      const whole = experiment.branchedFrom ? await overInherited(id, chunk) : chunk
      const { claim, lines } = await facts.inTurn(id, () => store(id, whole))
      await news.logged(experiment, lines)
      const about = { teamId, projectId, experimentId: id }
      const changed = chunk.complete
        ? await finish(id, projectId, checkedExitCode(chunk.complete.exitCode))
        : claim.state !== claim.stateBefore
      if (chunk.history || chunk.system || chunk.summary)
        events.publish({ type: 'experiment.logged', ...about })
      if (chunk.console) events.publish({ type: 'console.written', ...about })
      if (changed) events.publish({ type: 'experiment.changed', ...about })
      return { stopRequested: claim.stopRequested }
    })
  }

  async function overInherited(id: string, chunk: StreamChunk): Promise<StreamChunk> {
    const inherited = chunk.summary && (await findInheritedSummaries(db, [id])).get(id)
    return inherited ? { ...chunk, summary: withInherited(inherited, chunk.summary!) } : chunk
  }

  async function store(id: string, chunk: StreamChunk) {
    const { claim, placed } =
      chunk.sharedWriter === undefined
        ? await claimInPlace(id, chunk)
        : await db.transaction().execute((trx) => claimInOrder(trx, id, chunk, chunk.sharedWriter!))
    const update = await facts.updateOf({ id, projectId: claim.projectId }, () => factsChangedBy(claim))
    const append = { ...appendOf(id, chunk, placed), facts: update }
    const lines = append.lines?.filter(({ stream }) => stream === 'history') ?? []
    return { result: { claim, lines }, append }
  }

  /** A single writer's offsets are the line numbers. */
  async function claimInPlace(id: string, chunk: StreamChunk): Promise<{ claim: Claim; placed: Placed }> {
    const placed = placeByOffset(chunk)
    return { claim: (await claimLines(db, id, messageOf(chunk, placed))) ?? gone(), placed }
  }

  /** Several writers' lines are numbered as they arrive; what has arrived before keeps its number. */
  async function claimInOrder(trx: Db, id: string, chunk: StreamChunk, writer: string) {
    const before = (await lockExperiment(trx, id)) ?? gone()
    const place = (
      stream: SharedStream,
      lines: { offset: number; lines: unknown[] } | undefined,
      next: number,
    ) =>
      lines === undefined || lines.lines.length === 0
        ? []
        : placeSharedLines(trx, { experimentId: id, writer, stream }, lines.offset, lines.lines.length, next)
    const placed = {
      history: await place('history', chunk.history, before.historyLines),
      system: await place('system', chunk.system, before.systemLines),
      console: await place('console', chunk.console, before.consoleLines),
    }
    return { claim: (await claimLines(trx, id, messageOf(chunk, placed))) ?? gone(), placed }
  }

  function messageOf(chunk: StreamChunk, placed: Placed) {
    return {
      ...placed,
      summary: chunk.summary,
      mergeSummary: chunk.sharedWriter !== undefined,
      preempting: chunk.preempting === true,
      ends: chunk.complete !== undefined || chunk.isAside === true,
      now: clock.now(),
    }
  }

  /** Notes how the script ended; its data is in by now. @returns whether that changed anything. */
  async function finish(id: string, projectId: string, exitCode: number): Promise<boolean> {
    return await facts.inTurn(id, async () => {
      const { before, after } = await db.transaction().execute(async (trx) => {
        const before = (await lockExperiment(trx, id)) ?? gone()
        const state = stateAfterExit(before.state, exitCode, before.stopRequested)
        // The last message may come twice; it ended when it came first.
        const again = before.state === state && before.exitCode === exitCode && before.endedAt !== null
        const endedAt = again ? before.endedAt! : clock.now()
        await finishExperiment(trx, id, { state, exitCode, endedAt })
        const after = { ...before, state, exitCode, endedAt }
        if (!again) await news.ended(trx, after)
        return { before, after }
      })
      news.committed()
      const update = await facts.updateOf({ id, projectId }, () =>
        changedFacts(builtInFacts(before), builtInFacts(after)),
      )
      return { result: before.state !== after.state, append: { facts: update } }
    })
  }

  function tellChanged({ teamId, projectId, id }: StoredExperiment): void {
    events.publish({ type: 'experiment.changed', teamId, projectId, experimentId: id })
  }

  return {
    upsert,
    append,
    /** See `branch.ts`. Without a project it is the one that is used when none is named. */
    rewind: (actor: Actor, ref: Omit<ExperimentRef, 'project'> & { project?: string }, step: number) =>
      withDatabase(() => branching.rewind(actor, { ...ref, project: ref.project ?? defaultProject }, step)),
  }
}

/** Where a chunk's lines go: for each stream, the blocks in the order of its lines. */
type Placed = Record<SharedStream, LineRange[]>

function placeByOffset(chunk: StreamChunk): Placed {
  const block = (stream: { offset: number; lines: unknown[] } | undefined) =>
    stream && stream.lines.length > 0 ? [{ line: stream.offset, count: stream.lines.length }] : []
  return { history: block(chunk.history), system: block(chunk.system), console: block(chunk.console) }
}

function appendOf(id: string, chunk: StreamChunk, placed: Placed): Pick<Append, 'lines' | 'console'> {
  const numbered = <Item>(items: Item[] = [], blocks: LineRange[]): { item: Item; line: number }[] => {
    const numbers = blocks.flatMap(({ line, count }) =>
      Array.from({ length: count }, (_, index) => line + index),
    )
    return items.map((item, index) => ({ item, line: numbers[index]! }))
  }
  return {
    lines: [
      ...numbered(chunk.history?.lines, placed.history).map(({ item, line }) =>
        pointsOf(id, 'history', line, item),
      ),
      ...numbered(chunk.system?.lines, placed.system).map(({ item, line }) =>
        pointsOf(id, 'system', line, item),
      ),
    ],
    console: numbered(chunk.console?.lines, placed.console).map(({ item, line }) => ({
      experimentId: id,
      line,
      ...item,
    })),
  }
}

/** The signs of life, and what the message's summary changes. */
function factsChangedBy(claim: Claim) {
  const before = lifeFacts({ ...claim, state: claim.stateBefore, endedAt: claim.endedBefore })
  // As old as the last message, so always written.
  before.delete('heartbeat_at')
  before.delete('duration')
  const after = lifeFacts(claim)
  if (!claim.summaryBefore || !claim.summary) return changedFacts(before, after)
  return changedFacts(
    new Map([...before, ...summaryFacts(claim.summaryBefore)]),
    new Map([...after, ...summaryFacts(claim.summary)]),
  )
}

/** Several processes write one experiment: each brings a config of its own, with only itself under `_wandb.e`. */
function withWriters(before: StoredExperiment, input: UpsertExperiment): UpsertExperiment {
  const writersBefore = writersOf(before.config)
  const writers = input.config && writersOf(input.config)
  if (!input.config || !writersBefore) return input
  const own = isJsonObject(input.config['_wandb']) ? input.config['_wandb'] : {}
  const value = isJsonObject(own['value']) ? own['value'] : {}
  return {
    ...input,
    config: {
      ...input.config,
      _wandb: { ...own, value: { ...value, e: { ...writersBefore, ...writers } } },
    },
  }
}

function writersOf(config: Record<string, unknown>): Record<string, unknown> | undefined {
  const own = config['_wandb']
  const value = isJsonObject(own) && isJsonObject(own['value']) ? own['value'] : undefined
  return value && isJsonObject(value['e']) ? value['e'] : undefined
}

function checkOffsets(chunk: StreamChunk): void {
  for (const stream of [chunk.history, chunk.system, chunk.console]) {
    if (!stream) continue
    const { offset, lines } = stream
    if (!Number.isInteger(offset) || offset < 0 || offset + lines.length > linesMax)
      throw new GridError(
        'invalid',
        `${offset} is no line number: an experiment has ${linesMax} lines per stream at most.`,
      )
  }
}

/** As wide as its column; what no system has as an exit code still means failure. */
function checkedExitCode(exitCode: number): number {
  return Number.isInteger(exitCode) && Math.abs(exitCode) < 2 ** 31 ? exitCode : 1
}

function guardOf(team: { id: string; slug: string }) {
  return { teamId: team.id, ownerId: null, kind: 'team', label: team.slug }
}

function defaultTeamOf(actor: Actor): string {
  const slug = actor.defaultTeamId === null ? undefined : actor.memberships.get(actor.defaultTeamId)?.slug
  if (slug === undefined)
    throw new GridError('invalid', 'Say which team this belongs to: there is no default team.')
  return slug
}

function noSuchTeam(actor: Actor, slug: string): GridError {
  if (actor.kind === 'anonymous') return new GridError('unauthenticated')
  const mine = [...actor.memberships.values()]
    .filter(({ role }) => role !== 'viewer')
    .map((team) => team.slug)
  const where = mine.length === 0 ? 'You may not write to any team.' : `You may write to ${mine.join(', ')}.`
  return new GridError(
    'not_found',
    `There is no team "${storableText(slug.slice(0, 100))}", or you are not in it. ${where}`,
  )
}

function gone(): never {
  throw new GridError('not_found', 'This experiment was deleted.')
}
