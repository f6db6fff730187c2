/**
 * Tells whether a client is about to scan a history. It asks for the same exports of a history for two purposes: to hand
 * files to somebody, and to read rows out of them. To a reader of rows a hole in a table looks like an empty value, so
 * whoever scans a history whose rows differ shall ask for the rows. A scan asks for the run's last step first, in a
 * document of its own, and for exports right after; a download does not. A script that looks at the last step itself
 * and downloads in the same moment is taken for a scan: it hears that the files are not complete, and once more gets them.
 * Source: wandb/apis/public/runs.py (scan_history, download_history_exports) of 0.28 to 0.31.
 */
import type { Actor } from '../actor.ts'

const secondsMax = 3
const askedMax = 10_000
const operation = 'RunHistoryKeys'

export function createScans({ now = () => performance.now() } = {}) {
  const asked = new Map<string, number>()
  const keyOf = ({ userId, via }: Actor, run: { id: string }) => `${userId ?? via} ${run.id}`
  return {
    /** Something of the run's history is asked for; anything between the last step and the exports is no scan. */
    note(actor: Actor, run: { id: string }, operationName: string | undefined): void {
      const key = keyOf(actor, run)
      asked.delete(key)
      if (operationName !== operation) return
      if (asked.size >= askedMax) asked.delete(asked.keys().next().value!)
      asked.set(key, now())
    },
    /** Whether exports are asked for by a scan: one question for the last step stands for one scan. */
    take(actor: Actor, run: { id: string }): boolean {
      const key = keyOf(actor, run)
      const at = asked.get(key)
      asked.delete(key)
      return at !== undefined && now() - at < secondsMax * 1000
    },
  }
}
