import { useState } from 'react'
import { CopyIcon, TickIcon } from './icons.tsx'

/** Puts text on the clipboard, also where the clipboard API is missing (plain http on another host). */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text)
    return
  }
  const area = document.createElement('textarea')
  area.value = text
  area.style.position = 'fixed'
  area.style.opacity = '0'
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false)
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="grid size-7 shrink-0 place-items-center rounded border border-transparent text-ink-faint hover:border-line-strong hover:bg-surface hover:text-ink"
      onClick={() => {
        void copyText(text).then(() => {
          setCopied(true)
          setTimeout(() => setCopied(false), 1500)
        })
      }}
    >
      {copied ? <TickIcon className="size-4 text-good" /> : <CopyIcon />}
      <span className="sr-only" aria-live="polite">
        {copied ? 'Copied' : ''}
      </span>
    </button>
  )
}

/** Commands or code to paste, exactly as shown. */
export function CommandBlock({ text, title }: { text: string; title?: string }) {
  return (
    <figure className="min-w-0 overflow-hidden rounded-md border border-line bg-sunken text-left">
      {title !== undefined && (
        <figcaption className="border-b border-line px-3 py-1 text-xs text-ink-faint">{title}</figcaption>
      )}
      <div className="flex items-start">
        <pre
          className="scroll-quiet min-w-0 flex-1 overflow-x-auto py-2.5 pl-3 font-mono text-[13px] leading-5"
          tabIndex={0}
        >
          {text}
        </pre>
        <div className="p-1.5">
          <CopyButton text={text} />
        </div>
      </div>
    </figure>
  )
}
