/**
 * `wandb sync` of an offline run that was sent before sends it all again, but numbers its rows on from the count it was
 * told at `init`. So a row is also known by its step and its time: one that is stored keeps its line, and the rows after
 * it in the same message follow. Seen with clients 0.22 to 0.31.
 */
import type { Actor } from '../actor.ts'
import type { Experiments } from '../experiments/service.ts'
import type { ExperimentRef } from '../experiments/types.ts'
import { parseJsonObject } from '../lib/tolerant-json.ts'

type Rows = { offset: number; lines: string[] }

/** Runs whose last step is remembered; a forgotten one costs a question to the store. */
const rememberedMax = 10_000
/** Rows that may share one step; the client itself writes one. */
const rowsPerStepMax = 1000

export function createReplays({ find, tails, history }: Pick<Experiments, 'find' | 'tails' | 'history'>) {
  const lastSteps = new Map<string, number>()

  /**
   * Where the rows of a message belong: at the offset the client says, or where they are stored already. Rows of
   * growing steps, which is all that a script ever sends, are told without asking the store.
   */
  async function placed(actor: Actor, ref: ExperimentRef, rows: Rows): Promise<Rows> {
    const key = [ref.team, ref.project, ref.slug].join('/')
    const first = identityOf(rows.lines[0])
    if (!first) return rows
    // From the start is where every row has its own number.
    const isNew = rows.offset === 0 || first.step > (lastSteps.get(key) ?? -1)
    const known = lastSteps.has(key)
    remember(key, identityOf(rows.lines.at(-1))?.step ?? first.step)
    if (rows.offset === 0 || (known && isNew)) return rows
    const run = await find(actor, ref)
    // The one who stores the rows says what is wrong.
    if (!run) return rows
    if (!known) {
      const last = identityOf((await tails(run)).historyTail.at(-1))
      if (!last || first.step > last.step) return rows
      remember(key, last.step)
    }
    const stored = await history(run, {
      stream: 'history',
      stepFrom: first.step,
      stepTo: first.step + 1,
      limit: rowsPerStepMax,
    })
    const same = stored.find(({ raw, line }) => line < rows.offset && identityOf(raw)?.time === first.time)
    return same ? { ...rows, offset: same.line } : rows
  }

  function remember(key: string, step: number): void {
    const highest = Math.max(step, lastSteps.get(key) ?? step)
    lastSteps.delete(key)
    lastSteps.set(key, highest)
    if (lastSteps.size > rememberedMax) lastSteps.delete(lastSteps.keys().next().value!)
  }

  return { placed }
}

/** What a row is known by besides its number; undefined for one that lacks either. */
function identityOf(line: string | undefined): { step: number; time: number } | undefined {
  const { _step: step, _timestamp: time } = (line !== undefined && parseJsonObject(line)) || {}
  return typeof step === 'number' && typeof time === 'number' ? { step, time } : undefined
}
