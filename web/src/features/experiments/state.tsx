import type { ExperimentState } from '@teamgrid/api'
import { endedStates } from '@teamgrid/api'

const words: Record<ExperimentState, string> = {
  pending: 'Pending',
  running: 'Running',
  finished: 'Finished',
  failed: 'Failed',
  crashed: 'Crashed',
  killed: 'Stopped',
  preempting: 'Preempting',
  preempted: 'Preempted',
}

const colours: Record<ExperimentState, string> = {
  pending: 'text-quiet',
  running: 'text-live',
  finished: 'text-good',
  failed: 'text-bad',
  crashed: 'text-bad',
  killed: 'text-warn',
  preempting: 'text-warn',
  preempted: 'text-warn',
}

const explanations: Record<ExperimentState, string> = {
  pending: 'Waits to start',
  running: 'Its script sends signs of life',
  finished: 'Its script ended without an error',
  failed: 'Its script ended with an error',
  crashed: 'No sign of life for five minutes; it may come back',
  killed: 'Stopped by somebody',
  preempting: 'Its machine is being taken away',
  preempted: 'Its machine was taken away',
}

/** Each state has its own shape, so that colour never speaks alone. */
export function StateShape({
  state,
  className = 'size-3.5',
}: {
  state: ExperimentState
  className?: string
}) {
  return (
    <svg
      viewBox="0 0 14 14"
      aria-hidden
      className={`shrink-0 overflow-visible ${colours[state]} ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {shape(state)}
    </svg>
  )
}

function shape(state: ExperimentState) {
  switch (state) {
    case 'pending':
      return <circle cx="7" cy="7" r="4.5" strokeDasharray="2.2 2.4" />
    case 'running':
      return (
        <>
          <circle cx="7" cy="7" r="3" fill="currentColor" stroke="none" />
          <circle
            cx="7"
            cy="7"
            r="5.5"
            strokeWidth="1.2"
            className="origin-center [transform-box:fill-box] [animation:pulse-ring_1.8s_ease-out_infinite]"
          />
        </>
      )
    case 'finished':
      return <path d="m2.5 7.5 3 3 6-7" />
    case 'failed':
      return <path d="m3 3 8 8m0-8-8 8" />
    case 'crashed':
      return <path d="M8 1.5 3.5 8H7l-1 4.5L10.5 6H7Z" fill="currentColor" strokeWidth="1" />
    case 'killed':
      return <rect x="3" y="3" width="8" height="8" rx="1" fill="currentColor" stroke="none" />
    case 'preempting':
      return <path d="M4.5 3v8m5-8v8" />
    case 'preempted':
      return <path d="M7 2 12 11.5H2Z" />
    default:
      return state satisfies never
  }
}

/** Shape and word. */
export function StateBadge({ state, stopRequested }: { state: ExperimentState; stopRequested?: boolean }) {
  const stopping = stopRequested === true && !endedStates.includes(state)
  return (
    <span
      className="inline-flex items-center gap-1.5 align-middle whitespace-nowrap"
      title={stopping ? 'Asked to stop; the script obeys at its next sign of life' : explanations[state]}
    >
      <StateShape state={state} />
      {stopping ? 'Stopping' : words[state]}
    </span>
  )
}

export const stateWord = (state: ExperimentState): string => words[state]
