import type { Output } from './io.ts'
import { bytes } from './time.ts'

const barWidth = 30
const redrawMilliseconds = 100

/** Before that, a rate would be a guess. */
const rateAfterMilliseconds = 1000

/**
 * A bar on stderr for people at a terminal, with the rate and the time left; nothing anywhere else.
 *
 * @param label what is being done, where there are several bars after each other.
 */
export function createProgress(
  output: Output,
  now: () => Date,
  totalBytes: number,
  totalFiles: number,
  label = '',
) {
  const startedAt = now().getTime()
  let received = 0
  let files = 0
  let drawnAt = 0

  function draw(force: boolean): void {
    if (!output.isTTY) return
    const at = now().getTime()
    if (!force && at - drawnAt < redrawMilliseconds) return
    drawnAt = at
    const share = totalBytes === 0 ? 1 : Math.min(1, received / totalBytes)
    const full = Math.round(share * barWidth)
    const line = `${label === '' ? '' : `${label} `}${'━'.repeat(full)}${'─'.repeat(barWidth - full)} ${Math.floor(share * 100)}%  ${files}/${totalFiles} files  ${bytes(received)} of ${bytes(totalBytes)}${speed(at)}`
    output.write(`\r\u001b[2K${line.slice(0, Math.max(10, output.columns - 1))}`)
  }

  function speed(at: number): string {
    const seconds = (at - startedAt) / 1000
    if (seconds * 1000 < rateAfterMilliseconds || received <= 0) return ''
    const rate = received / seconds
    const left = Math.max(0, Math.ceil((totalBytes - received) / rate))
    const minutes = Math.floor(left / 60)
    const clock = `${minutes}:${String(left % 60).padStart(2, '0')}`
    return `  ${bytes(rate)}/s  ${clock} left`
  }

  return {
    received(count: number): void {
      received += count
      draw(false)
    },
    fileDone(): void {
      files += 1
      draw(false)
    },
    end(): void {
      if (output.isTTY) output.write('\r\u001b[2K')
    },
  }
}
