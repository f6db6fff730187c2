import { Tooltip } from '@base-ui/react/tooltip'
import type { ReactElement, ReactNode } from 'react'

/** Wrap the app once, so that neighbouring tooltips follow each other without a delay. */
export function TipProvider({ children }: { children: ReactNode }) {
  return (
    <Tooltip.Provider delay={350} closeDelay={0}>
      {children}
    </Tooltip.Provider>
  )
}

/** Shows `says` on hover and on keyboard focus of its one child. */
export function Tip({
  says,
  children,
  side = 'top',
}: {
  says: ReactNode
  children: ReactElement
  side?: 'top' | 'bottom' | 'right'
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children as ReactElement<Record<string, unknown>>} />
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6} side={side} className="z-50">
          <Tooltip.Popup className="max-w-80 rounded-md border border-line-strong bg-raised px-2 py-1 text-[13px] leading-[18px] break-words whitespace-pre-line text-ink shadow-float">
            {says}
          </Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  )
}
