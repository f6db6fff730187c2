import type { Sweep, SweepState } from '@teamgrid/api'
import { Tag } from '../../ui/feedback.tsx'

const words: Record<
  SweepState,
  { word: string; tone: 'plain' | 'accent' | 'warn' | 'bad' | 'good'; says: string }
> = {
  pending: { word: 'Pending', tone: 'plain', says: 'No agent has asked for work yet' },
  running: { word: 'Running', tone: 'accent', says: 'Agents are given experiments to run' },
  paused: { word: 'Paused', tone: 'warn', says: 'What runs goes on, nothing new begins' },
  finished: { word: 'Finished', tone: 'good', says: 'Nothing new will begin' },
  cancelled: { word: 'Cancelled', tone: 'bad', says: 'Nothing new will begin, and what ran was stopped' },
}

export function SweepStateTag({ state }: { state: SweepState }) {
  const { word, tone, says } = words[state]
  return (
    <span title={says}>
      <Tag tone={tone}>{word}</Tag>
    </span>
  )
}

/** How far it is, as a bar where there is an end. */
export function Progress({ sweep: { counts, expected } }: { sweep: Pick<Sweep, 'counts' | 'expected'> }) {
  const done = counts.finished + counts.failed + counts.stopped + counts.moved
  const parts = [
    { count: counts.finished, colour: 'bg-good', word: 'finished' },
    { count: counts.failed, colour: 'bg-bad', word: 'failed' },
    { count: counts.stopped, colour: 'bg-warn', word: 'stopped' },
    { count: counts.moved, colour: 'bg-line', word: 'moved to another project' },
    { count: counts.running, colour: 'bg-live', word: 'running' },
    { count: counts.waiting, colour: 'bg-quiet', word: 'waiting' },
  ].filter((part) => part.count > 0)
  const whole = Math.max(expected ?? counts.total, counts.total, 1)
  const says = parts.map((part) => `${part.count} ${part.word}`).join(', ') || 'nothing yet'
  return (
    <span className="flex items-center gap-2 whitespace-nowrap" title={says}>
      <span aria-hidden className="flex h-1.5 w-24 overflow-hidden rounded-full bg-sunken ring-1 ring-line">
        {parts.map((part) => (
          <span key={part.word} className={part.colour} style={{ width: `${(100 * part.count) / whole}%` }} />
        ))}
      </span>
      <span className="tabular-nums">
        {done}
        {expected === null ? '' : ` of ${expected}`}
      </span>
      <span className="sr-only">{says}</span>
    </span>
  )
}
