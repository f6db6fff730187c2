/** What becomes of an attempt: pure, from what is stored, what its backend sees, and what its node has said. */
import { type AttemptState, finalAttemptStates } from '@teamgrid/api'
import type { AttemptSpec, Exit, Observation, Ref } from './backend.ts'

export type Attempt = {
  id: string
  kind: 'experiment' | 'session' | 'service'
  ownerId: string
  teamId: string
  userId: string
  clusterId: string
  number: number
  state: AttemptState
  message: string
  spec: AttemptSpec
  ref: Ref | null
  node: string | null
  keyId: string | null
  createdAt: Date
  submittedAt: Date | null
  startedAt: Date | null
  runningAt: Date | null
  endedAt: Date | null
  heartbeatAt: Date | null
  stopRequestedAt: Date | null
  /** Null where somebody just stopped it. */
  stopReason: string | null
  stopSentAt: Date | null
  killSentAt: Date | null
  absentCount: number
  exitCode: number | null
  reported: Report | null
  reportedAt: Date | null
}

/** What the node said about the end, once everything else had arrived. */
export type Report = { code: number; stopRequested: boolean; at: string; failure?: string }

/** What changes in the row; `act` is asked of the backend after that is written. */
export type Decision = {
  set: Partial<
    Pick<Attempt, 'state' | 'message' | 'node' | 'startedAt' | 'endedAt' | 'absentCount' | 'exitCode'>
  >
  act?: 'stop' | 'kill'
}

/** No sign of life for so long, and the backend does not know it either: it is lost. */
export const silentMs = 90_000
/** How long the end as the backend tells it is waited for, once the node has told of its own. */
const causeMs = 30_000
/** A stop has its grace and this; then it is ended by force. */
const overtimeMs = 60_000
const absentMax = 3

export function isFinal(state: AttemptState): boolean {
  return (finalAttemptStates as readonly AttemptState[]).includes(state)
}

const order: readonly AttemptState[] = [
  'created',
  'submitting',
  'queued',
  'starting',
  'building',
  'running',
  'stopping',
  'syncing',
]

/** Whether a live attempt may go from one state to another: forwards only, but back to the queue when it is begun anew. */
export function mayBecome(from: AttemptState, to: AttemptState): boolean {
  if (isFinal(from)) return false
  return isFinal(to) || order.indexOf(to) > order.indexOf(from)
}

/**
 * Who is believed: first the end that the node tells, then the end that the backend tells, then the backend's view, and
 * silence last. `unknown` never ends anything.
 *
 * @param seen undefined: nobody has looked.
 */
export function decide(attempt: Attempt, seen: Observation | undefined, now: Date): Decision {
  if (isFinal(attempt.state)) return { set: {} }
  const view = seen === undefined || seen.seen === 'unknown' ? undefined : seen
  if (attempt.reported) return afterReport(attempt, attempt.reported, view, now)
  if (view?.seen === 'exited') return afterExit(attempt, view, now)
  if (view?.seen === 'preempted')
    return ended('preempted', 'The machine was needed for something more important.', null, now)
  if (view?.seen === 'absent' || view?.seen === 'lost') return afterLoss(attempt, view, now)
  const stopping = stopOf(attempt, now)
  if (stopping) return stopping
  const set: Decision['set'] = {}
  if (attempt.absentCount > 0 && view) set.absentCount = 0
  if (view === undefined || view.seen === 'unknown') return { set }
  if (view.node && view.node !== attempt.node) set.node = view.node
  const to = view.seen === 'running' ? 'starting' : view.seen
  if (to !== attempt.state && mayBecome(attempt.state, to)) set.state = to
  if (to !== 'queued' && attempt.startedAt === null) set.startedAt = view.startedAt ?? now
  const message = to === 'queued' ? (view.reason ?? 'Waits for its turn.') : ''
  if ((to === 'queued' || attempt.state === 'queued') && message !== attempt.message) set.message = message
  return { set }
}

/** Everything it wrote is here. Only whose doing the end was may still come from the backend. */
function afterReport(attempt: Attempt, report: Report, view: Observation | undefined, now: Date): Decision {
  const exit = view?.seen === 'exited' ? view.exit : undefined
  const isClear = exit !== undefined || report.code === 0 || report.stopRequested || report.failure
  const waits = now.getTime() - (attempt.reportedAt ?? now).getTime() < causeMs
  if (!isClear && waits) return { set: attempt.state === 'syncing' ? {} : { state: 'syncing' } }
  if (view?.seen === 'preempted')
    return ended('preempted', 'The machine was needed for something more important.', report.code, now)
  const cause = exit?.cause ?? (report.stopRequested ? 'cancel' : 'exit')
  return endOf(
    attempt,
    { code: report.code, cause, at: new Date(report.at) },
    report.failure ?? view?.reason,
    now,
  )
}

function afterExit(attempt: Attempt, view: Observation, now: Date): Decision {
  const { exit = { cause: 'exit' } } = view
  // Its node still sends what it wrote, for as long as it gives signs of life.
  const speaks = attempt.heartbeatAt !== null && now.getTime() - attempt.heartbeatAt.getTime() < silentMs
  if (speaks) return { set: attempt.state === 'syncing' ? {} : { state: 'syncing' } }
  return endOf(attempt, exit, view.reason, now)
}

function afterLoss(attempt: Attempt, view: Observation, now: Date): Decision {
  if (attempt.ref === null) return { set: {} }
  const absentCount = view.seen === 'lost' ? absentMax : attempt.absentCount + 1
  const speaks = attempt.heartbeatAt !== null && now.getTime() - attempt.heartbeatAt.getTime() < silentMs
  if (speaks || absentCount < absentMax)
    return { set: absentCount === attempt.absentCount ? {} : { absentCount } }
  if (attempt.stopRequestedAt) return ended('stopped', 'Stopped; its machine no longer knew it.', null, now)
  return ended(
    'lost',
    view.reason ?? 'Its machine no longer knows it, and nothing was heard of it for a while.',
    null,
    now,
  )
}

function stopOf(attempt: Attempt, now: Date): Decision | undefined {
  const { stopRequestedAt, stopSentAt, killSentAt } = attempt
  if (stopRequestedAt === null) return undefined
  if (attempt.ref === null && attempt.state === 'created')
    return ended('stopped', 'Stopped before it began.', null, now)
  // It is being submitted: there is nothing to be stopped yet, and it will be.
  if (attempt.ref === null) return undefined
  if (stopSentAt === null)
    return { set: { state: 'stopping', message: attempt.stopReason ?? 'It was asked to stop.' }, act: 'stop' }
  const late = now.getTime() - stopSentAt.getTime() - attempt.spec.graceSec * 1000
  if (late > overtimeMs && killSentAt === null) return { set: {}, act: 'kill' }
  return { set: {} }
}

function endOf(attempt: Attempt, { code, cause, at }: Exit, why: string | undefined, now: Date): Decision {
  const when = at && at <= now ? at : now
  const end = (state: AttemptState, message: string) => ended(state, message, code ?? null, when)
  if (cause === 'oom') {
    const limit = attempt.spec.resources.memMiB
    return end(
      'oom',
      `It took more memory than it had asked for${limit ? ` (${limit} MiB)` : ''} and was ended.`,
    )
  }
  if (cause === 'timeout') return end('timeout', 'It ran longer than its time limit and was ended.')
  if (cause === 'cancel' || attempt.stopRequestedAt) return end('stopped', stoppedBecause(attempt))
  if (cause === 'node') return end('lost', why ?? 'Its machine failed.')
  if (code === 0) return end('succeeded', 'Done.')
  return end('failed', why ?? codeSentence(code))
}

function stoppedBecause({ stopReason }: Attempt): string {
  return stopReason === null ? 'Stopped.' : `Stopped: ${stopReason}`
}

function codeSentence(code: number | undefined): string {
  if (code === undefined) return 'It failed; nobody knows its exit code.'
  if (code === 126) return 'The script could not be executed (exit code 126).'
  if (code === 127) return 'The program was not found (exit code 127).'
  const signals: Record<number, string> = {
    6: 'aborted',
    9: 'killed',
    11: 'crashed (segmentation fault)',
    15: 'terminated',
  }
  if (code > 128 && code < 160)
    return `It was ${signals[code - 128] ?? `ended by signal ${code - 128}`} (exit code ${code}).`
  return `It ended with exit code ${code}.`
}

function ended(state: AttemptState, message: string, code: number | null, at: Date): Decision {
  return { set: { state, message, endedAt: at, exitCode: code, absentCount: 0 } }
}
