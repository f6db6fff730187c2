import type { ConsoleLine } from '@teamgrid/api'

/**
 * Which lines of a growing console are ready to be printed.
 *
 * A progress bar rewrites its line many times a second. So the newest line is held back until another follows it, or it
 * stayed the same for `settleMilliseconds`, or it kept changing for `holdMilliseconds`; printed once, it is printed
 * again only if it changed since. All lines before it are printed once and in order.
 */
export function createFollower({ settleMilliseconds = 1500, holdMilliseconds = 5000 } = {}) {
  let nextLine = 0
  let held: { line: ConsoleLine; since: number; changedAt: number; printed: string | null } | null = null

  /** Where to ask the server to go on from: the held line may have changed, so it is asked for again. */
  function from(): number {
    return nextLine
  }

  /** @param lines what the server has from `from()` on, in any order; @param now milliseconds of any steady clock. */
  function take(lines: readonly ConsoleLine[], now: number): ConsoleLine[] {
    const ready: ConsoleLine[] = []
    for (const line of [...lines].sort((a, b) => a.line - b.line)) {
      if (line.line < nextLine) continue
      if (held && held.line.line === line.line) {
        if (held.line.text !== line.text) held = { ...held, line, changedAt: now }
        continue
      }
      release(ready)
      held = { line, since: now, changedAt: now, printed: null }
      nextLine = line.line
    }
    if (held && (now - held.changedAt >= settleMilliseconds || now - held.since >= holdMilliseconds)) {
      if (held.printed !== held.line.text) {
        ready.push(held.line)
        held.printed = held.line.text
      }
      held.since = now
    }
    return ready
  }

  /** The rest, once nothing can change any more. */
  function flush(): ConsoleLine[] {
    const ready: ConsoleLine[] = []
    release(ready)
    return ready
  }

  function release(ready: ConsoleLine[]): void {
    if (held && held.printed !== held.line.text) ready.push(held.line)
    if (held) nextLine = held.line.line + 1
    held = null
  }

  return { from, take, flush }
}
