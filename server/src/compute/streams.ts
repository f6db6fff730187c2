/** What an attempt writes, as its node sends it: bytes by offset, which become lines exactly once. */
import { GridError } from '@teamgrid/api'
import { storableText } from '../lib/tolerant-json.ts'
import { type Db, findStream, saveStream } from './store.ts'

/** Of one stream; more than that is a program gone wild. What lies beyond is taken and thrown away. */
const streamMax = 1024 * 1024 * 1024
/** A line without an end is cut here. */
const lineMax = 64 * 1024
const newline = 10

export type Arrived = {
  /** Where the next bytes are expected. */
  next: number
}

/**
 * Takes bytes in. What was there before is skipped; a gap is not taken, as what lies in it would be lost.
 *
 * Nothing is locked while lines are kept: kept again under the same numbers they are the same lines, and of two senders
 * at once the second is told where the first one is.
 *
 * @param at where they begin, and whether nothing follows.
 * @param keep the new whole lines and the number of the first.
 * @returns where the next bytes are expected; as `conflict` when these were not taken.
 */
export async function takeIn(
  db: Db,
  at: { attemptId: string; name: string; offset: number; isEnd: boolean },
  bytes: Buffer,
  firstLine: () => Promise<number>,
  keep: (first: number, lines: string[]) => Promise<void>,
): Promise<Arrived | { conflict: number }> {
  const stream = await findStream(db, at.attemptId, at.name, firstLine)
  if (at.offset > stream.sizeBytes) return { conflict: stream.sizeBytes }
  const fresh = bytes.subarray(stream.sizeBytes - at.offset)
  const isEnd = at.isEnd && !stream.isComplete
  if (fresh.length === 0 && !isEnd) return { next: stream.sizeBytes }
  const sizeBytes = stream.sizeBytes + fresh.length
  const isOver = stream.sizeBytes > streamMax
  const { lines, rest } = linesOf(isOver ? stream.rest : Buffer.concat([stream.rest, fresh]), isEnd)
  if (!isOver && sizeBytes > streamMax) lines.push('[The rest is too much to be kept.]')
  if (lines.length > 0) await keep(stream.nextLine, lines)
  const after = {
    sizeBytes,
    nextLine: stream.nextLine + lines.length,
    rest,
    isComplete: stream.isComplete || isEnd,
  }
  if (await saveStream(db, at.attemptId, at.name, stream.sizeBytes, after)) return { next: sizeBytes }
  return { conflict: (await findStream(db, at.attemptId, at.name, firstLine)).sizeBytes }
}

/** Whole lines, and what is still without its end. */
export function linesOf(bytes: Buffer, isEnd: boolean): { lines: string[]; rest: Buffer } {
  const lines: string[] = []
  let start = 0
  while (start < bytes.length) {
    const found = bytes.indexOf(newline, start)
    const end = found === -1 ? bytes.length : found
    if (found === -1 && end - start < lineMax && !isEnd) break
    const cut = Math.min(end, start + lineMax)
    lines.push(textOf(bytes.subarray(start, cut)))
    start = cut === found ? cut + 1 : cut
  }
  return { lines, rest: Buffer.from(bytes.subarray(start)) }
}

function textOf(bytes: Buffer): string {
  return storableText(bytes.toString('utf8').replace(/\r$/, ''))
}

export function streamName(given: string): 'output' | 'build' {
  if (given === 'output' || given === 'build') return given
  throw new GridError('invalid', `There is no stream "${given.slice(0, 100)}"; there are output and build`)
}
