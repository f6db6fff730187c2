import { Dialog as Base } from '@base-ui/react/dialog'
import type { ReactNode } from 'react'
import { useState } from 'react'
import { Button } from './button.tsx'
import { CloseIcon } from './icons.tsx'

/** A window over the page; Escape and a press outside close it, focus returns to where it was. */
export function Dialog({
  open,
  onClose,
  title,
  children,
  wide,
}: {
  open: boolean
  onClose: () => void
  title: string
  children: ReactNode
  wide?: boolean
}) {
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-black/35 dark:bg-black/60" />
        <Base.Popup
          className={`fixed top-[8vh] left-1/2 z-50 max-h-[84vh] w-[calc(100vw-24px)] -translate-x-1/2 overflow-auto rounded-lg border border-line-strong bg-raised shadow-float outline-none ${
            wide ? 'max-w-5xl' : 'max-w-lg'
          }`}
        >
          <div className="flex items-center justify-between gap-3 border-b border-line px-4 py-2.5">
            <Base.Title className="text-[15px] font-semibold">{title}</Base.Title>
            <Base.Close
              className="rounded p-1 text-ink-faint hover:bg-hover hover:text-ink"
              aria-label="Close"
            >
              <CloseIcon />
            </Base.Close>
          </div>
          <div className="p-4">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

/**
 * Asks once before a destructive act. `says` names what happens to how many things of whom; `act` does it, and the window
 * stays open with the error when it fails.
 */
export function Confirm({
  open,
  onClose,
  title,
  says,
  verb,
  act,
}: {
  open: boolean
  onClose: () => void
  title: string
  says: ReactNode
  verb: string
  act: () => Promise<unknown>
}) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  const close = () => {
    setError(undefined)
    onClose()
  }
  return (
    <Dialog open={open} onClose={close} title={title}>
      <div className="text-ink-soft">{says}</div>
      {error !== undefined && (
        <p role="alert" className="mt-3 text-bad">
          {error}
        </p>
      )}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={close}>Cancel</Button>
        <Button
          look="danger"
          busy={busy}
          onClick={() => {
            setBusy(true)
            setError(undefined)
            act()
              .then(close, (problem: unknown) =>
                setError(problem instanceof Error ? problem.message : String(problem)),
              )
              .finally(() => setBusy(false))
          }}
        >
          {verb}
        </Button>
      </div>
    </Dialog>
  )
}
