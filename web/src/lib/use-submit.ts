import { type FormEvent, useState } from 'react'

/** A form that is sent once at a time and keeps what was typed when the server refuses. */
export function useSubmit(send: (form: FormData) => Promise<unknown>) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Error>()
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setError(undefined)
    send(new FormData(event.currentTarget))
      .catch((problem: unknown) => setError(problem instanceof Error ? problem : new Error(String(problem))))
      .finally(() => setBusy(false))
  }
  return { busy, error, onSubmit }
}

/** A text field of a form; empty when absent. */
export function fieldOf(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value : ''
}
