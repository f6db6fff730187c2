/** Everything a command touches outside itself, so that a test can hand in its own. */
export type Io = {
  env: Readonly<Record<string, string | undefined>>
  /** The person's home folder; settings live under it. */
  home: string
  cwd: string
  stdout: Output
  stderr: Output
  stdin: Input
  now: () => Date
  fetch: (request: Request | URL | string, init?: RequestInit) => Promise<Response>
  /** Waits, or rejects at once when the person interrupts. */
  pause: (milliseconds: number) => Promise<void>
  /** Aborted by Ctrl-C: every request and wait ends. */
  interrupted: AbortSignal
}

export type Output = { write: (text: string) => void; isTTY: boolean; columns: number }

export type Input = {
  isTTY: boolean
  /** All of it, for `--token-stdin` and the like. */
  readAll: () => Promise<string>
  /** One answer typed by a person; a secret is not echoed. */
  ask: (question: string, options?: { secret?: boolean }) => Promise<string>
}

/** Colours are for people at a terminal who did not say `NO_COLOR` (https://no-color.org). */
export function wantsColor(io: Io, output: Output): boolean {
  return output.isTTY && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb'
}
