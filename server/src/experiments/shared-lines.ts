/**
 * Several processes that write one experiment count their lines each for itself. Here a writer's offsets become line
 * numbers of the experiment: new lines in the order of arrival, lines that came before under the number they have.
 */
import { sql } from 'kysely'
import type { Db, LineRange } from './store.ts'

export type SharedStream = 'history' | 'system' | 'console'

type Writer = { experimentId: string; writer: string; stream: SharedStream }

/**
 * The caller holds the experiment's row, so nobody else numbers lines meanwhile.
 *
 * @param next the first free line number of the stream.
 * @returns blocks of line numbers, in the order of the writer's lines, `count` numbers in all.
 */
export async function placeSharedLines(
  trx: Db,
  writer: Writer,
  offset: number,
  count: number,
  next: number,
): Promise<LineRange[]> {
  const known = await knownBlocks(trx, writer, offset, offset + count)
  const blocks: LineRange[] = []
  let at = offset
  let free = next
  const placeNew = async (until: number) => {
    if (until <= at) return
    await remember(trx, writer, at, free, until - at)
    blocks.push({ line: free, count: until - at })
    free += until - at
    at = until
  }
  for (const block of known) {
    await placeNew(block.first_offset)
    const end = Math.min(block.first_offset + block.lines, offset + count)
    blocks.push({ line: block.first_line + (at - block.first_offset), count: end - at })
    at = end
  }
  await placeNew(offset + count)
  return blocks
}

async function knownBlocks(trx: Db, { experimentId, writer, stream }: Writer, from: number, to: number) {
  return await trx
    .selectFrom('shared_lines')
    .select(['first_offset', 'first_line', 'lines'])
    .where('experiment_id', '=', experimentId)
    .where('writer', '=', writer)
    .where('stream', '=', stream)
    .where('first_offset', '<', to)
    .where(sql<boolean>`first_offset + lines > ${from}`)
    .orderBy('first_offset')
    .execute()
}

/** A writer that is alone for a while continues its last block, so blocks stay few. */
async function remember(
  trx: Db,
  { experimentId, writer, stream }: Writer,
  offset: number,
  line: number,
  count: number,
): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('shared_lines')
    .set((eb) => ({ lines: eb('lines', '+', count) }))
    .where('experiment_id', '=', experimentId)
    .where('writer', '=', writer)
    .where('stream', '=', stream)
    .where(sql<boolean>`first_offset + lines = ${offset}`)
    .where(sql<boolean>`first_line + lines = ${line}`)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return
  await trx
    .insertInto('shared_lines')
    .values({
      experiment_id: experimentId,
      writer,
      stream,
      first_offset: offset,
      first_line: line,
      lines: count,
    })
    .execute()
}
