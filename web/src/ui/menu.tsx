import { Menu as Base } from '@base-ui/react/menu'
import type { ReactElement, ReactNode } from 'react'
import { Tip } from './tooltip.tsx'

/** A button that opens a list of actions; arrow keys, letters and Escape work. */
export function Menu({
  trigger,
  children,
  align = 'end',
}: {
  trigger: ReactElement
  children: ReactNode
  align?: 'start' | 'end'
}) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger as ReactElement<Record<string, unknown>>} />
      <Base.Portal>
        <Base.Positioner sideOffset={4} align={align} className="z-50 outline-none">
          <Base.Popup className="max-h-[min(70vh,32rem)] min-w-44 overflow-auto rounded-md border border-line-strong bg-raised py-1 text-sm shadow-float outline-none">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}

const item =
  'flex w-full items-center gap-2 px-3 py-1.5 outline-none select-none data-[highlighted]:bg-hover data-[disabled]:opacity-55'

export function MenuItem({
  children,
  onSelect,
  danger,
  refused,
}: {
  children: ReactNode
  onSelect: () => void
  danger?: boolean
  refused?: string | undefined
}) {
  const entry = (
    <Base.Item
      className={`${item} ${danger ? 'text-bad' : ''} ${refused === undefined ? '' : 'opacity-55'}`}
      aria-disabled={refused !== undefined || undefined}
      closeOnClick={refused === undefined}
      onClick={() => refused === undefined && onSelect()}
    >
      {children}
    </Base.Item>
  )
  return refused === undefined ? (
    entry
  ) : (
    <Tip says={refused} side="right">
      {entry}
    </Tip>
  )
}

/** An entry that goes somewhere: `render` is a link element, so middle click and copy address work. */
export function MenuLink({ render, children }: { render: ReactElement; children: ReactNode }) {
  return (
    <Base.Item className={item} render={render as ReactElement<Record<string, unknown>>}>
      {children}
    </Base.Item>
  )
}

export function MenuTick({
  checked,
  onChange,
  children,
}: {
  checked: boolean
  onChange: (checked: boolean) => void
  children: ReactNode
}) {
  return (
    <Base.CheckboxItem className={item} checked={checked} onCheckedChange={onChange} closeOnClick={false}>
      <span
        aria-hidden
        className={`grid size-4 place-items-center rounded border ${checked ? 'border-accent bg-accent text-accent-ink' : 'border-line-strong'}`}
      >
        {checked ? '✓' : ''}
      </span>
      {children}
    </Base.CheckboxItem>
  )
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <div className="px-3 pt-1.5 pb-1 text-xs text-ink-faint">{children}</div>
}

export function MenuLine() {
  return <Base.Separator className="my-1 h-px bg-line" />
}
