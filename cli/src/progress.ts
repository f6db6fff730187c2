import type { Output } from './io.ts'
import { bytes } from './time.ts'

const barWidth = 30
const redrawMilliseconds = 100

/** A bar on stderr for people at a terminal; nothing anywhere else. */
export function createProgress(output: Output, now: () => Date, totalBytes: number, totalFiles: number) {
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
    const line = `${'━'.repeat(full)}${'─'.repeat(barWidth - full)} ${Math.floor(share * 100)}%  ${files}/${totalFiles} files  ${bytes(received)} of ${bytes(totalBytes)}`
    output.write(`\r\u001b[2K${line.slice(0, Math.max(10, output.columns - 1))}`)
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
