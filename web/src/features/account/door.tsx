import type { ReactNode } from 'react'

/** The page in front of the door: a card in the middle, nothing else. */
export function Door({
  title,
  says,
  children,
  foot,
}: {
  title: string
  says?: ReactNode
  children: ReactNode
  foot?: ReactNode
}) {
  return (
    <main className="flex min-h-dvh flex-col items-center px-4 py-[9vh]">
      <div className="mb-6 flex items-center gap-2 text-lg font-semibold">
        <img src="/favicon.svg" alt="" className="size-7" /> Teamgrid
      </div>
      <div className="w-full max-w-sm rounded-lg border border-line bg-surface p-5">
        <h1 className="text-lg font-semibold">{title}</h1>
        {says !== undefined && <div className="mt-1 text-ink-soft">{says}</div>}
        <div className="mt-4">{children}</div>
      </div>
      {foot !== undefined && (
        <div className="mt-4 max-w-sm text-center text-[13px] text-ink-soft">{foot}</div>
      )}
    </main>
  )
}

export function FormError({ error }: { error: Error | undefined }) {
  if (error === undefined) return null
  const hint = 'details' in error ? (error.details as { hint?: string }).hint : undefined
  return (
    <div role="alert" className="rounded-md border border-bad/40 bg-bad-wash px-3 py-2 text-[13px]">
      {error.message}
      {hint !== undefined && <div className="text-ink-soft">{hint}</div>}
    </div>
  )
}
