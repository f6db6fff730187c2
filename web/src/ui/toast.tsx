import { Toast } from '@base-ui/react/toast'
import type { ReactNode } from 'react'
import { CloseIcon } from './icons.tsx'

const manager = Toast.createToastManager()

/** A short line at the corner that leaves by itself. */
export function tell(says: string, more?: string): void {
  manager.add({ title: says, ...(more === undefined ? {} : { description: more }), timeout: 5000 })
}

/** What went wrong, in the server's own sentence; stays longer than good news. */
export function tellError(problem: unknown): void {
  const says = problem instanceof Error ? problem.message : String(problem)
  manager.add({ title: says, type: 'error', timeout: 10_000, priority: 'high' })
}

export function ToastProvider({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} limit={4}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className="fixed right-3 bottom-3 z-60 flex w-[min(92vw,24rem)] flex-col gap-2">
          <Toasts />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  )
}

function Toasts() {
  const { toasts } = Toast.useToastManager()
  return toasts.map((toast) => (
    <Toast.Root
      key={toast.id}
      toast={toast}
      className={`rounded-md border bg-raised px-3 py-2 text-sm shadow-float ${toast.type === 'error' ? 'border-bad' : 'border-line-strong'}`}
    >
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <Toast.Title className="break-words" />
          <Toast.Description className="break-words text-[13px] text-ink-soft" />
        </div>
        <Toast.Close aria-label="Dismiss" className="rounded p-0.5 text-ink-faint hover:bg-hover">
          <CloseIcon />
        </Toast.Close>
      </div>
    </Toast.Root>
  ))
}
