import type { InputHTMLAttributes, ReactNode, Ref, SelectHTMLAttributes, TextareaHTMLAttributes } from 'react'
import { useId } from 'react'

const box =
  'rounded-md border border-line-strong bg-surface text-ink outline-offset-0 transition-colors hover:border-ink-faint focus-visible:outline-2 focus-visible:outline-accent disabled:opacity-60 aria-invalid:border-bad'

export function Input({
  className = '',
  small,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { small?: boolean; ref?: Ref<HTMLInputElement> }) {
  return (
    <input
      {...rest}
      className={`${box} min-w-0 ${small ? 'h-7 px-2 text-[13px]' : 'h-9 px-2.5 text-sm max-sm:text-base'} ${className}`}
    />
  )
}

export function TextArea({ className = '', ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <textarea {...rest} className={`${box} px-2.5 py-1.5 text-sm ${className}`} />
}

/** The browser's own list: the best one on a phone and for a screen reader. */
export function Select({
  className = '',
  small,
  children,
  ...rest
}: SelectHTMLAttributes<HTMLSelectElement> & { small?: boolean }) {
  return (
    <select
      {...rest}
      className={`${box} min-w-0 pr-1 ${small ? 'h-7 pl-1.5 text-[13px]' : 'h-9 pl-2 text-sm'} ${className}`}
    >
      {children}
    </select>
  )
}

/** A label above a control, with help or the error below it. */
export function Field({
  label,
  help,
  error,
  children,
}: {
  label: string
  help?: ReactNode
  error?: string | undefined
  children: (props: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode
}) {
  const id = useId()
  const noteId = `${id}-note`
  const note = error ?? help
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-[13px] font-medium text-ink-soft">
        {label}
      </label>
      {children({
        id,
        ...(note === undefined ? {} : { 'aria-describedby': noteId }),
        ...(error === undefined ? {} : { 'aria-invalid': true as const }),
      })}
      {note !== undefined && (
        <p id={noteId} className={`text-[13px] ${error === undefined ? 'text-ink-faint' : 'text-bad'}`}>
          {note}
        </p>
      )}
    </div>
  )
}

export function Checkbox({
  label,
  className = '',
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { label: ReactNode }) {
  return (
    <label className={`inline-flex items-center gap-2 text-sm ${className}`}>
      <input {...rest} type="checkbox" className="size-4 shrink-0 accent-(--accent)" />
      {label}
    </label>
  )
}
