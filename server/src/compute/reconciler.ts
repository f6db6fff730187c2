/**
 * One loop over everything that lives: look at each backend, compare with what is stored, act. Every change of state is
 * one transaction with those who listen; what is asked of a backend comes after it, and is asked again until it is seen.
 */
import { newToken, hashOf } from '../lib/secrets.ts'
import type { Clock } from '../lib/clock.ts'
import { type Attempt, decide, isFinal } from './attempt.ts'
import type { Backend, Observation, Submission } from './backend.ts'
import { type Db, findAttempt, liveAttempts, lockAttempt, updateAttempt } from './store.ts'

export type AttemptChange = {
  /** As it is after the change. */
  attempt: Attempt
  from: Attempt['state']
  to: Attempt['state']
  at: Date
}

export type ReconcilerDeps = {
  db: Db
  clock: Clock
  /** Undefined: this cluster cannot be reached now, and nothing about it is known. */
  backendOf: (clusterId: string) => Backend | undefined
  /** Inside the transaction that changes the state. */
  onChange: (trx: Db, change: AttemptChange) => Promise<void>
  afterChange: (change: AttemptChange) => void
  onTick: (live: Attempt[], at: Date) => Promise<void>
  log: (text: string, error: unknown) => void
}

/** Attempts that a cluster is given at most; the rest wait here, where they can still be reordered and stopped. */
const inFlightMax = 500

export function createReconciler(deps: ReconcilerDeps) {
  const { db, clock, backendOf, log } = deps

  /** Everything once. Errors of one cluster do not concern the others. */
  async function step(): Promise<void> {
    const live = await liveAttempts(db)
    await deps.onTick(live, clock.now())
    const now = await liveAttempts(db)
    for (const [clusterId, attempts] of Map.groupBy(now, (each) => each.clusterId)) {
      try {
        await stepCluster(clusterId, attempts)
      } catch (error) {
        log(`Looking after the attempts of cluster ${clusterId} failed`, error)
      }
    }
    await forget()
  }

  async function stepCluster(clusterId: string, attempts: Attempt[]): Promise<void> {
    const backend = backendOf(clusterId)
    if (backend) {
      await findSubmitted(backend, attempts)
      await submit(backend, attempts)
    }
    const submitted = attempts.filter((each) => each.ref !== null)
    const seen = new Map<string, Observation>()
    if (backend && submitted.length > 0) {
      const all = await backend.observe({ refs: submitted.map((each) => each.ref!) })
      // Said twice, the first counts.
      for (const each of all) if (!seen.has(each.ref)) seen.set(each.ref, each)
    }
    for (const attempt of attempts)
      await settle(attempt.id, attempt.ref === null ? undefined : seen.get(attempt.ref))
  }

  /** The server died between asking and writing down the answer: the backend says whether it heard. */
  async function findSubmitted(backend: Backend, attempts: Attempt[]): Promise<void> {
    const open = attempts.filter((each) => each.state === 'submitting' && each.ref === null)
    if (open.length === 0) return
    const found = await backend.find(open.map((each) => each.id))
    for (const attempt of open) {
      const ref = found.get(attempt.id)
      if (ref === undefined) continue
      await change(attempt.id, () => ({ state: 'queued', ref, submittedAt: clock.now() }))
      attempt.ref = ref
    }
  }

  async function submit(backend: Backend, attempts: Attempt[]): Promise<void> {
    const room = inFlightMax - attempts.filter((each) => each.ref !== null).length
    const waiting = attempts
      .filter((each) => each.ref === null && each.stopRequestedAt === null)
      .slice(0, Math.max(0, Math.min(room, backend.capabilities().maxBatch)))
    if (waiting.length === 0) return
    const submissions: { attempt: Attempt; submission: Submission }[] = []
    for (const attempt of waiting) {
      const bootToken = newToken()
      const taken = await change(attempt.id, (now) =>
        now.ref === null &&
        now.stopRequestedAt === null &&
        (now.state === 'created' || now.state === 'submitting')
          ? { state: 'submitting', bootHash: hashOf(bootToken) }
          : undefined,
      )
      if (taken) submissions.push({ attempt, submission: { spec: attempt.spec, bootToken } })
    }
    const answers = await backend.submit(submissions.map((each) => each.submission))
    for (const [index, answer] of answers.entries()) {
      const { attempt } = submissions[index]!
      if ('rejected' in answer) {
        await change(attempt.id, () => ({
          state: 'rejected',
          message: answer.rejected,
          endedAt: clock.now(),
        }))
      } else {
        await change(attempt.id, () => ({ state: 'queued', ref: answer.ref, submittedAt: clock.now() }))
        attempt.ref = answer.ref
      }
    }
  }

  /** Looks at one attempt again, as when its node has told of its end. */
  async function look(attemptId: string): Promise<void> {
    const attempt = await findAttempt(db, attemptId)
    if (!attempt || isFinal(attempt.state)) return
    const backend = backendOf(attempt.clusterId)
    const seen =
      backend && attempt.ref !== null ? (await backend.observe({ refs: [attempt.ref] }))[0] : undefined
    await settle(attemptId, seen)
  }

  async function settle(attemptId: string, seen: Observation | undefined): Promise<void> {
    let act: 'stop' | 'kill' | undefined
    const changed = await change(attemptId, (now) => {
      const decision = decide(now, seen, clock.now())
      act = decision.act
      return decision.set
    })
    const attempt = changed ?? (act && (await findAttempt(db, attemptId)))
    const backend = attempt && backendOf(attempt.clusterId)
    if (!act || !backend || !attempt || attempt.ref === null) return
    if (act === 'stop') {
      await backend.stop(attempt.ref, { graceSec: attempt.spec.graceSec, reason: 'It was asked to stop' })
      await updateAttempt(db, attemptId, { stop_sent_at: clock.now() })
    } else {
      await backend.kill(attempt.ref)
      await updateAttempt(db, attemptId, { kill_sent_at: clock.now() })
    }
  }

  type Changes = Partial<Attempt> & { bootHash?: string; tokenHash?: string }

  /**
   * Changes an attempt that has not ended.
   *
   * @param decideOn what to change, as it stands now; undefined or nothing leaves it alone.
   * @returns it as it is then; undefined when nothing changed.
   */
  async function change(
    attemptId: string,
    decideOn: (now: Attempt) => Changes | undefined,
  ): Promise<Attempt | undefined> {
    const done = await db.transaction().execute(async (trx) => {
      const before = await lockAttempt(trx, attemptId)
      if (!before || isFinal(before.state)) return undefined
      const set = decideOn(before)
      if (!set || Object.keys(set).length === 0) return undefined
      await updateAttempt(trx, attemptId, columnsOf(set))
      const attempt = (await lockAttempt(trx, attemptId))!
      const news = { attempt, from: before.state, to: attempt.state, at: attempt.endedAt ?? clock.now() }
      if (news.from !== news.to || attempt.message !== before.message) await deps.onChange(trx, news)
      return news
    })
    if (done) deps.afterChange(done)
    return done?.attempt
  }

  /** What ended a while ago leaves its backend: the node's agent has had time to see that it is over. */
  async function forget(): Promise<void> {
    const rows = await db
      .selectFrom('compute_attempts')
      .select(['id', 'ref', 'cluster_id'])
      .where('ended_at', '<', new Date(clock.now().getTime() - 60 * 60 * 1000))
      .where('forgotten_at', 'is', null)
      .limit(100)
      .execute()
    for (const row of rows) {
      const backend = backendOf(row.cluster_id)
      if (!backend) continue
      if (row.ref !== null) await backend.forget(row.ref)
      await updateAttempt(db, row.id, { forgotten_at: clock.now() })
    }
  }

  return { step, look, change }
}

function columnsOf(set: Partial<Attempt> & { bootHash?: string; tokenHash?: string }) {
  return {
    ...(set.state === undefined ? {} : { state: set.state }),
    ...(set.message === undefined ? {} : { message: set.message }),
    ...(set.ref === undefined ? {} : { ref: set.ref }),
    ...(set.node === undefined ? {} : { node: set.node }),
    ...(set.keyId === undefined ? {} : { key_id: set.keyId }),
    ...(set.submittedAt === undefined ? {} : { submitted_at: set.submittedAt }),
    ...(set.startedAt === undefined ? {} : { started_at: set.startedAt }),
    ...(set.runningAt === undefined ? {} : { running_at: set.runningAt }),
    ...(set.endedAt === undefined ? {} : { ended_at: set.endedAt }),
    ...(set.heartbeatAt === undefined ? {} : { heartbeat_at: set.heartbeatAt }),
    ...(set.stopRequestedAt === undefined ? {} : { stop_requested_at: set.stopRequestedAt }),
    ...(set.absentCount === undefined ? {} : { absent_count: set.absentCount }),
    ...(set.exitCode === undefined ? {} : { exit_code: set.exitCode }),
    ...(set.reported === undefined ? {} : { reported: JSON.stringify(set.reported) }),
    ...(set.reportedAt === undefined ? {} : { reported_at: set.reportedAt }),
    ...(set.bootHash === undefined ? {} : { boot_hash: set.bootHash }),
    ...(set.tokenHash === undefined ? {} : { token_hash: set.tokenHash }),
  }
}
