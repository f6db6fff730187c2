import type { CSSProperties, ReactNode } from 'react'

/** A centred reading column with a heading and its actions. */
export function Page({
  title,
  note,
  actions,
  children,
  wide,
}: {
  title: ReactNode
  note?: ReactNode
  actions?: ReactNode
  children: ReactNode
  wide?: boolean
}) {
  return (
    <div className={`mx-auto w-full px-4 py-5 sm:px-6 ${wide ? 'max-w-7xl' : 'max-w-4xl'}`}>
      <div className="mb-5 flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        {note}
        <div className="ml-auto flex flex-wrap gap-2">{actions}</div>
      </div>
      <div className="flex flex-col gap-6">{children}</div>
    </div>
  )
}

/** A bordered group with a heading. */
export function Section({
  title,
  says,
  actions,
  children,
  flush,
}: {
  title: string
  says?: ReactNode
  actions?: ReactNode
  children: ReactNode
  flush?: boolean
}) {
  return (
    <section className="rounded-lg border border-line bg-surface">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2.5">
        <h2 className="text-[15px] font-semibold">{title}</h2>
        {says !== undefined && <p className="text-[13px] text-ink-faint">{says}</p>}
        <div className="ml-auto flex gap-2">{actions}</div>
      </header>
      <div className={flush ? '' : 'p-4'}>{children}</div>
    </section>
  )
}

/**
 * A plain table: `head` cells, then rows as children. On a phone it scrolls sideways instead of squeezing; one that
 * `stacks` shows each row as a card there, its cells below each other with their heads beside them.
 */
export function PlainTable({
  head,
  children,
  label,
  stacks,
}: {
  head: ReactNode[]
  children: ReactNode
  label: string
  stacks?: boolean
}) {
  // A head without words gets no place beside its cell: a variable that is not set makes no `content`.
  const names = head.flatMap((cell, i) =>
    typeof cell === 'string' && cell !== '' ? [[`--head-${i + 1}`, JSON.stringify(cell)]] : [],
  )
  return (
    // What only screen readers read stands absolutely: within this, not beyond the edge of the page.
    <div className="scroll-quiet relative overflow-x-auto">
      <table
        aria-label={label}
        {...(stacks ? { style: Object.fromEntries(names) as CSSProperties } : {})}
        className={`${stacks ? 'stacks ' : ''}w-full border-collapse text-[13px] [&_td]:px-3 [&_td]:py-2 [&_td:first-child]:pl-4 [&_th:first-child]:pl-4 [&_tbody_tr]:border-t [&_tbody_tr]:border-line`}
      >
        <thead>
          <tr>
            {head.map((cell, i) => (
              <th
                key={i}
                scope="col"
                className="px-3 py-2 text-left text-xs font-medium whitespace-nowrap text-ink-faint"
              >
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}
