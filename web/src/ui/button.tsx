import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import { tell } from './toast.tsx'
import { Tip } from './tooltip.tsx'

type Look = 'primary' | 'plain' | 'ghost' | 'danger'

const looks: Record<Look, string> = {
  primary:
    'bg-accent text-accent-ink border-transparent enabled:hover:bg-accent-strong aria-disabled:bg-accent/50',
  plain: 'bg-surface text-ink border-line-strong not-aria-disabled:hover:bg-hover',
  ghost:
    'bg-transparent text-ink-soft border-transparent not-aria-disabled:hover:bg-hover not-aria-disabled:hover:text-ink',
  danger:
    'bg-surface text-bad border-line-strong not-aria-disabled:hover:bg-bad-wash not-aria-disabled:hover:border-bad/50',
}

export type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  look?: Look
  small?: boolean
  /** A sentence why the person may not press it now. Given, the button stays focusable, does nothing and shows the sentence. */
  refused?: string | undefined
  busy?: boolean
  ref?: Ref<HTMLButtonElement>
}

/** A button of the house. A refused button is visible and says why, instead of vanishing. */
export function Button({
  look = 'plain',
  small,
  refused,
  busy,
  className = '',
  onClick,
  disabled,
  ...rest
}: ButtonProps) {
  const off = refused !== undefined || busy === true || disabled === true
  const button = (
    <button
      type="button"
      {...rest}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      onClick={(event) => {
        if (off) {
          event.preventDefault()
          // A finger has no hover: pressing says why as well.
          if (refused !== undefined) tell(refused)
        } else onClick?.(event)
      }}
      className={`inline-flex shrink-0 select-none items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors aria-disabled:opacity-55 ${
        small ? 'h-7 px-2 text-[13px]' : 'h-8 px-3 text-sm'
      } ${looks[look]} ${className}`}
    />
  )
  return refused === undefined ? button : <Tip says={refused}>{button}</Tip>
}

/** A square button with only a picture on it; `label` is what a screen reader and the tooltip say. */
export function IconButton({
  label,
  children,
  className = '',
  pressed,
  ...rest
}: Omit<ButtonProps, 'look'> & { label: string; children: ReactNode; pressed?: boolean }) {
  const button = (
    <Button
      {...rest}
      look="ghost"
      small
      aria-label={label}
      aria-pressed={pressed}
      className={`w-7 px-0! ${pressed ? 'bg-hover text-accent!' : ''} ${className}`}
    >
      {children}
    </Button>
  )
  return rest.refused === undefined ? <Tip says={label}>{button}</Tip> : button
}
