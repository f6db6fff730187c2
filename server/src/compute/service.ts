/**
 * Attempts and where they run. What an attempt is for (an experiment, later a session) is its owner's business: the
 * slices above register as owners, and hear of every change in the transaction that makes it.
 */
import type { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { hashOf } from '../lib/secrets.ts'
import { storableText } from '../lib/tolerant-json.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'
import { type Attempt, isFinal, type Report } from './attempt.ts'
import type { AttemptSpec, Backend } from './backend.ts'
import { createClusters } from './clusters.ts'
import { type AttemptChange, createReconciler } from './reconciler.ts'
import { attemptsOf, type Db, findAttempt, insertAttempt, liveAttempts, updateAttempt } from './store.ts'
import { streamName, takeIn } from './streams.ts'

export type { Attempt } from './attempt.ts'
export type { AttemptChange } from './reconciler.ts'
export type { AttemptSpec, EnvironmentSpec, Resources } from './backend.ts'
export { isFinal } from './attempt.ts'
export type Compute = ReturnType<typeof createCompute>

export type ComputeDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'teamGuard' | 'insertJobKey' | 'revokeJobKey'>
  clock: Clock
  log: (text: string, error: unknown) => void
}

/** What a slice knows about the attempts that it makes. */
export type AttemptOwner = {
  /** The environment of the program with its secrets, for a node that reaches this server at `origin`. */
  environment(attempt: Attempt, node: { origin: string; token: string }): Promise<Record<string, string>>
  code(attempt: Attempt): Promise<Readable>
  /** The number of the next line of output. */
  firstLine(attempt: Attempt): Promise<number>
  output(attempt: Attempt, actor: Actor, first: number, lines: string[]): Promise<void>
  /** What is mounted, for the node that mounts it. @throws GridError not_found for what is not. */
  datastore(
    attempt: Attempt,
    version: { datastoreId: string; number: number },
  ): {
    manifest(): Promise<Readable>
    pack(sha256Hexes: string[]): Promise<AsyncIterable<Uint8Array>>
    check(sha256Hex: string): Promise<boolean>
  }
  /** A file that it made. */
  file(attempt: Attempt, path: string, body: Readable): Promise<void>
  beat(attempt: Attempt): Promise<void>
}

const buildLinesMax = 100_000

export function createCompute(deps: ComputeDeps) {
  const { db, teams, clock, log } = deps
  const owners = new Map<Attempt['kind'], AttemptOwner>()
  const changeListeners: ((trx: Db, change: AttemptChange) => Promise<void>)[] = []
  const afterListeners: ((change: AttemptChange) => void)[] = []
  const tickListeners: ((live: Attempt[], at: Date) => Promise<void>)[] = []
  const clusters = createClusters(deps)

  const reconciler = createReconciler({
    db,
    clock,
    log,
    backendOf: clusters.backendOf,
    async onChange(trx, change) {
      // A key dies with its job.
      if (isFinal(change.to) && change.attempt.keyId) await teams.revokeJobKey(trx, change.attempt.keyId)
      for (const listener of changeListeners) await listener(trx, change)
    },
    afterChange: (change) => afterListeners.forEach((listener) => listener(change)),
    async onTick(live, at) {
      for (const listener of tickListeners) await listener(live, at)
    },
  })

  let stepping: Promise<void> | undefined
  /** One look at everything; a second one while it goes on is the same. */
  async function step(): Promise<void> {
    stepping ??= reconciler.step().finally(() => (stepping = undefined))
    await stepping
  }

  /** Something was submitted or asked to stop: look soon rather than at the next tick. */
  function wake(): void {
    if (clusters.isOpen()) void step().catch((error: unknown) => log('Looking after attempts failed', error))
  }

  function ownerOf(attempt: Attempt): AttemptOwner {
    const owner = owners.get(attempt.kind)
    if (!owner) throw new Error(`Nobody owns attempts of kind ${attempt.kind}`)
    return owner
  }

  /** Inside the transaction that makes what it is a try of. It is submitted after that. */
  async function createAttempt(
    trx: Db,
    input: {
      kind: Attempt['kind']
      ownerId: string
      teamId: string
      userId: string
      clusterId: string
      number: number
      spec: Omit<AttemptSpec, 'attemptId' | 'kind' | 'ownerId' | 'number'>
    },
  ): Promise<string> {
    const id = newId(clock.now().getTime())
    const { kind, ownerId, number } = input
    await insertAttempt(
      trx,
      { ...input, id, spec: { ...input.spec, attemptId: id, kind, ownerId, number } },
      clock.now(),
    )
    return id
  }

  /** Marks live attempts of these owners as to be stopped; asking twice is asking once. Who asks has proven it. */
  async function requestStop(trx: Db, ownerIds: readonly string[], reason?: string): Promise<void> {
    if (ownerIds.length === 0) return
    await trx
      .updateTable('compute_attempts')
      .set({ stop_requested_at: clock.now(), stop_reason: reason ?? null })
      .where('owner_id', 'in', [...ownerIds])
      .where('ended_at', 'is', null)
      .where('stop_requested_at', 'is', null)
      .execute()
  }

  /**
   * The node's first word. The token was made there, so the same answer can be asked for again when it was lost; anybody
   * else with the same boot token is refused.
   */
  async function bootstrap(input: { bootToken: string; token: string; node: string; origin: string }) {
    const row = await db
      .selectFrom('compute_attempts')
      .select(['id', 'token_hash'])
      .where('boot_hash', '=', hashOf(input.bootToken))
      .executeTakeFirst()
    const attempt = row && (await findAttempt(db, row.id))
    if (!row || !attempt) throw new GridError('unauthenticated', 'This boot token is not valid here')
    if (isFinal(attempt.state)) throw new GridError('conflict', 'This attempt is over')
    const tokenHash = hashOf(input.token)
    if (row.token_hash === null) {
      await db.transaction().execute(async (trx) => {
        const taken = await trx
          .updateTable('compute_attempts')
          .set({ token_hash: tokenHash })
          .where('id', '=', attempt.id)
          .where('token_hash', 'is', null)
          .executeTakeFirst()
        if (taken.numUpdatedRows === 0n) throw usedBefore()
        const keyId = newId()
        await teams.insertJobKey(trx, {
          id: keyId,
          userId: attempt.userId,
          experimentId: attempt.ownerId,
          name: attempt.spec.label,
          secretHash: tokenHash,
        })
        await updateAttempt(trx, attempt.id, {
          key_id: keyId,
          heartbeat_at: clock.now(),
          node: storableText(input.node).slice(0, 200),
        })
      })
    } else if (row.token_hash !== tokenHash) throw usedBefore()
    await reconciler.change(attempt.id, (now) => advance(now, 'building'))
    return {
      attemptId: attempt.id,
      env: await ownerOf(attempt).environment(attempt, { origin: input.origin, token: input.token }),
    }
  }

  /** The attempt that this key belongs to. @throws GridError not_found for every other. */
  async function ofKey(actor: Actor, attemptId: string): Promise<Attempt> {
    const attempt = await findAttempt(db, attemptId)
    if (!attempt || attempt.keyId === null || actor.via !== `key:${attempt.keyId}`)
      throw new GridError('not_found')
    return attempt
  }

  async function beat(actor: Actor, attemptId: string, said: { phase: string; node: string }) {
    const attempt = await ofKey(actor, attemptId)
    await updateAttempt(db, attempt.id, { heartbeat_at: clock.now() })
    if (said.phase === 'building' || said.phase === 'running' || said.phase === 'syncing') {
      const to = said.phase
      await reconciler.change(attempt.id, (now) => advance(now, to))
    }
    await ownerOf(attempt).beat(attempt)
    return { commands: [] as string[] }
  }

  function advance(now: Attempt, to: 'building' | 'running' | 'syncing') {
    const states = ['created', 'submitting', 'queued', 'starting', 'building', 'running', 'syncing']
    // Once it is being stopped it is nothing else before its end.
    if (now.state === 'stopping' && to !== 'syncing') return undefined
    const isForward = states.indexOf(to) > states.indexOf(now.state)
    if (!isForward && now.state !== 'stopping') return undefined
    const at = clock.now()
    return {
      state: to,
      message: '',
      ...(now.startedAt === null ? { startedAt: at } : {}),
      ...(to === 'running' && now.runningAt === null ? { runningAt: at } : {}),
    }
  }

  /** @returns where the next bytes are expected, or where they were. */
  async function stream(
    actor: Actor,
    attemptId: string,
    at: { name: string; offset: number; isEnd: boolean },
    bytes: Buffer,
  ): Promise<{ next: number } | { conflict: number }> {
    const attempt = await ofKey(actor, attemptId)
    const owner = ownerOf(attempt)
    const name = streamName(at.name)
    if (!Number.isSafeInteger(at.offset) || at.offset < 0)
      throw new GridError('invalid', 'An offset is a whole number')
    await updateAttempt(db, attempt.id, { heartbeat_at: clock.now() })
    return await takeIn(
      db,
      { attemptId, name, offset: at.offset, isEnd: at.isEnd },
      bytes,
      () => (name === 'output' ? owner.firstLine(attempt) : Promise.resolve(0)),
      async (first, lines) => {
        // The console is another store: the same lines under the same numbers again change nothing.
        if (name === 'output') return await owner.output(attempt, actor, first, lines)
        const kept = lines.slice(0, Math.max(0, buildLinesMax - first))
        for (let start = 0; start < kept.length; start += 1000)
          await db
            .insertInto('attempt_lines')
            .values(
              kept.slice(start, start + 1000).map((text, index) => ({
                attempt_id: attemptId,
                number: first + start + index,
                at: clock.now(),
                text,
              })),
            )
            .onConflict((conflict) => conflict.doNothing())
            .execute()
      },
    )
  }

  async function exit(actor: Actor, attemptId: string, report: Report): Promise<void> {
    const attempt = await ofKey(actor, attemptId)
    if (isFinal(attempt.state)) return
    await db
      .updateTable('compute_attempts')
      .set({ reported: JSON.stringify(report), reported_at: clock.now(), heartbeat_at: clock.now() })
      .where('id', '=', attempt.id)
      .where('reported', 'is', null)
      .execute()
    await reconciler.look(attempt.id)
  }

  async function buildLines(attemptId: string): Promise<{ at: Date; text: string }[]> {
    return await db
      .selectFrom('attempt_lines')
      .select(['at', 'text'])
      .where('attempt_id', '=', attemptId)
      .orderBy('number')
      .execute()
  }

  return {
    clusters,
    /** Whose attempts of a kind are. */
    own: (kind: Attempt['kind'], owner: AttemptOwner) => void owners.set(kind, owner),
    /** Inside the transaction that changes an attempt's state. */
    onAttempt: (listener: (trx: Db, change: AttemptChange) => Promise<void>) =>
      void changeListeners.push(listener),
    /** After it. */
    afterAttempt: (listener: (change: AttemptChange) => void) => void afterListeners.push(listener),
    /** With all that lives, before each look. */
    onTick: (listener: (live: Attempt[], at: Date) => Promise<void>) => void tickListeners.push(listener),
    createAttempt,
    requestStop,
    attemptsOf: (ownerIds: readonly string[]) => attemptsOf(db, ownerIds),
    live: () => liveAttempts(db),
    buildLines,
    step,
    wake,
    addBackend: (clusterId: string, backend: Backend) => clusters.add(clusterId, backend),
    /** What nodes say: see `agent-routes.ts`. */
    agent: {
      bootstrap,
      beat,
      stream,
      exit,
      code: async (actor: Actor, attemptId: string) => {
        const attempt = await ofKey(actor, attemptId)
        return await ownerOf(attempt).code(attempt)
      },
      datastore: async (
        actor: Actor,
        attemptId: string,
        version: { datastoreId: string; number: number },
      ) => {
        const attempt = await ofKey(actor, attemptId)
        return ownerOf(attempt).datastore(attempt, version)
      },
      file: async (actor: Actor, attemptId: string, path: string, body: Readable) => {
        const attempt = await ofKey(actor, attemptId)
        await ownerOf(attempt).file(attempt, path, body)
      },
    },
    async close() {
      clusters.stop()
      await stepping?.catch(() => undefined)
      await clusters.close()
    },
  }
}

function usedBefore(): GridError {
  return new GridError('unauthenticated', 'This boot token was used before')
}
