import type { ReactNode } from 'react'

/** The row of a page's tabs; each child is a link, so a tab is an address. */
export function TabRow({ label, children }: { label: string; children: ReactNode }) {
  return (
    <nav aria-label={label} className="scroll-quiet flex gap-0.5 overflow-x-auto border-b border-line px-3">
      {children}
    </nav>
  )
}

/** Classes for the links in a `TabRow`; the open one has `data-open`. */
export const tabClass =
  'relative shrink-0 px-2.5 py-2 text-sm text-ink-soft hover:text-ink data-open:font-medium data-open:text-ink data-open:after:absolute data-open:after:inset-x-1.5 data-open:after:-bottom-px data-open:after:h-0.5 data-open:after:rounded data-open:after:bg-accent'

/** A row of choices of which exactly one is on. */
export function Segmented<T extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: string
  value: T
  choices: readonly { value: T; label: ReactNode; title?: string }[]
  onChange: (value: T) => void
}) {
  return (
    <div
      role="radiogroup"
      aria-label={label}
      className="inline-flex h-7 shrink-0 items-stretch rounded-md border border-line-strong bg-surface p-px"
    >
      {choices.map((choice) => (
        <button
          key={choice.value}
          type="button"
          role="radio"
          aria-checked={choice.value === value}
          title={choice.title}
          onClick={() => onChange(choice.value)}
          className="flex items-center gap-1 rounded-[5px] px-2 text-[13px] text-ink-soft hover:text-ink aria-checked:bg-accent-wash aria-checked:font-medium aria-checked:text-accent"
        >
          {choice.label}
        </button>
      ))}
    </div>
  )
}
