/**
 * Makes what is written to an engine durable that leaves its files to the kernel: every write also goes into a log on
 * disk, synced once, beside the insert. At a checkpoint the file system is told to write everything, and the log up to
 * there is removed. After a power cut the engine is as it was at the last checkpoint or somewhat newer; the log does the
 * rest again at the next start. Doing a write again changes no answer: lines and facts have numbers and versions.
 *
 * What a checkpoint made durable stays so because the engine syncs what it merges before it removes what it merged.
 */
import { GridError } from '@teamgrid/api'
import { openWriteAheadLog, type Damage } from './write-ahead-log.ts'

/** Rows of one table, as tab-separated text. */
export type Insert = { table: string; columns: readonly string[]; rows: Buffer }

export type Engine = {
  insert: (insert: Insert) => Promise<void>
  /** Hides all rows of these experiments. */
  forget: (experimentIds: readonly string[]) => Promise<void>
}

const limits = {
  /** A power cut within this time after the last checkpoint costs a longer start, never data. */
  checkpointAfterMs: 20_000,
  /** Some ten seconds of the fastest logging, done again in about as long. */
  checkpointFromBytes: 128 * 1024 * 1024,
  /** When checkpoints fail, writers are sent away before the log fills the disk. */
  logBytesMax: 1024 * 1024 * 1024,
}

/**
 * @param directory of the log.
 * @param sync resolves when everything the engine has written is on the disk.
 * @param warn hears, in a sentence, what an operator should know.
 */
export async function openLoggedWrites(
  engine: Engine,
  { directory, sync, warn }: { directory: string; sync: () => Promise<void>; warn: (text: string) => void },
) {
  const log = await openWriteAheadLog(directory)
  const underWay = new Set<Promise<unknown>>()
  let lastInLog: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let checkpointing: Promise<void> | undefined

  /** Does again what was under way when the server last ended. @returns how many writes that were. */
  async function replay(): Promise<number> {
    let count = 0
    for await (const record of log.recordsBefore((damage) => warn(damageSentence(damage)))) {
      const step = decode(record)
      if ('forget' in step) await engine.forget(step.forget)
      else for (const insert of step.inserts) await engine.insert(insert)
      count++
    }
    return count
  }

  /** Resolves when the rows are stored and would survive a power cut. Part of them may be stored when it rejects. */
  async function write(inserts: readonly Insert[]): Promise<void> {
    await logged(encode({ inserts }), async () => {
      for (const insert of inserts) await engine.insert(insert)
    })
  }

  async function forget(experimentIds: readonly string[]): Promise<void> {
    await logged(encode({ forget: experimentIds }), () => engine.forget(experimentIds))
  }

  /** The log and the engine work at the same time; a write counts when both are done. */
  async function logged(record: Buffer[], act: () => Promise<void>): Promise<void> {
    if (log.sizeBytes() > limits.logBytesMax)
      throw new GridError('unavailable', 'What was logged cannot be made durable right now.', {
        hint: 'The log of the server says why.',
      })
    const done = Promise.allSettled([inLog(() => log.add(record)), act()])
    underWay.add(done)
    const results = await done
    underWay.delete(done)
    if (log.sizeBytes() > limits.checkpointFromBytes) void checkpointSoon()
    timer ??= setTimeout(() => void checkpointSoon(), limits.checkpointAfterMs).unref()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  function inLog<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = lastInLog.then(act)
    lastInLog = turn.catch(() => {})
    return turn
  }

  async function checkpointSoon(): Promise<void> {
    try {
      await checkpoint()
    } catch (error) {
      warn(`What was logged could not be made durable in the tables yet: ${String(error)}. Trying again.`)
    }
  }

  /** Makes everything written so far durable in the engine's own files, and shortens the log. One at a time. */
  function checkpoint(): Promise<void> {
    checkpointing ??= (async () => {
      clearTimeout(timer)
      timer = undefined
      const segments = await inLog(log.cut)
      // What is in these segments may still be on its way into the engine.
      await Promise.all(underWay)
      await sync()
      await log.remove(segments)
    })().finally(() => (checkpointing = undefined))
    return checkpointing
  }

  return {
    replay,
    write,
    forget,
    checkpoint,
    async close(): Promise<void> {
      clearTimeout(timer)
      await checkpointing?.catch(() => {})
      await checkpointSoon()
      clearTimeout(timer)
    },
  }
}

type Step = { inserts: readonly Insert[] } | { forget: readonly string[] }

/** A line of JSON, then the rows of each insert as they are. */
function encode(step: Step): Buffer[] {
  const rows = 'inserts' in step ? step.inserts.map((insert) => insert.rows) : []
  const head =
    'inserts' in step
      ? { inserts: step.inserts.map(({ table, columns, rows }) => ({ table, columns, bytes: rows.length })) }
      : step
  return [Buffer.from(`${JSON.stringify(head)}\n`), ...rows]
}

function decode(record: Buffer): Step {
  const end = record.indexOf('\n')
  const head = JSON.parse(record.subarray(0, end).toString()) as
    | { inserts: { table: string; columns: string[]; bytes: number }[] }
    | { forget: string[] }
  if ('forget' in head) return head
  let at = end + 1
  const inserts = head.inserts.map(({ table, columns, bytes }) => ({
    table,
    columns,
    rows: record.subarray(at, (at += bytes)),
  }))
  return { inserts }
}

function damageSentence({ file, from, to }: Damage): string {
  return (
    `${file} is damaged from byte ${from} to ${to}: lines acknowledged shortly before the server ended may be lost. ` +
    'Everything else in it was stored. Check the disk.'
  )
}
