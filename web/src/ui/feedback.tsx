import type { ReactNode } from 'react'
import { Button } from './button.tsx'

/** Grey bars in the shape of what will come. */
export function Skeleton({ className = 'h-4 w-full' }: { className?: string }) {
  return <div aria-hidden className={`skeleton ${className}`} />
}

export function SkeletonRows({ rows = 6, className = '' }: { rows?: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className={`flex flex-col gap-2 p-3 ${className}`}>
      {Array.from({ length: rows }, (_, i) => (
        <Skeleton key={i} className={`h-5 ${i % 3 === 0 ? 'w-full' : i % 3 === 1 ? 'w-5/6' : 'w-11/12'}`} />
      ))}
    </div>
  )
}

/** What this place is for and what to do next. */
export function EmptyState({
  title,
  says,
  children,
}: {
  title: string
  says?: ReactNode
  children?: ReactNode
}) {
  return (
    <div className="mx-auto flex w-full max-w-2xl flex-col gap-3 px-4 py-10">
      <h2 className="text-base font-semibold">{title}</h2>
      {says !== undefined && <div className="text-ink-soft">{says}</div>}
      {children}
    </div>
  )
}

/** What happened and what to do; the rest of the page stays usable. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const says = error instanceof Error ? error.message : String(error)
  return (
    <div
      role="alert"
      className="m-3 flex flex-wrap items-center gap-3 rounded-md border border-bad/40 bg-bad-wash px-3 py-2 text-sm text-ink"
    >
      <span className="min-w-0 flex-1 break-words">{says}</span>
      {retry !== undefined && (
        <Button small onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  )
}

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="rounded border border-line-strong bg-sunken px-1 font-sans text-[11px] leading-4 text-ink-faint">
      {children}
    </kbd>
  )
}

/** A small label; `tone` never carries meaning alone. */
export function Tag({
  children,
  tone = 'plain',
}: {
  children: ReactNode
  tone?: 'plain' | 'accent' | 'warn' | 'bad' | 'good'
}) {
  const tones = {
    plain: 'border-line bg-sunken text-ink-soft',
    accent: 'border-accent/30 bg-accent-wash text-accent',
    warn: 'border-warn/30 bg-warn-wash text-warn',
    bad: 'border-bad/30 bg-bad-wash text-bad',
    good: 'border-good/30 bg-good-wash text-good',
  }
  return (
    <span
      className={`inline-flex max-w-full items-center truncate rounded border px-1.5 text-xs leading-5 ${tones[tone]}`}
    >
      {children}
    </span>
  )
}
