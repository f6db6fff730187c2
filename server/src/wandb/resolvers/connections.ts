import { GridError } from '@teamgrid/api'

/** What the client calls a page: some of its loops go on from `endCursor`, others from the cursor of the last edge. */
export type Connection<Node> = {
  edges: { node: Node; cursor: string }[]
  pageInfo: { endCursor: string | null; hasNextPage: boolean }
  totalCount?: number
}

/** The client's own pages have 50 to 5000 entries. */
const pageMax = 10_000

export type PageArguments = { first?: number | null; after?: string | null }

/** A page of a list that is wholly at hand. Cursors say how many items are behind them. */
export function pageOf<Node>(items: readonly Node[], { first, after }: PageArguments): Connection<Node> {
  const start = offsetOf(after)
  const length = lengthOf(first, items.length)
  const page = items.slice(start, start + length)
  return { ...connectionOf(page, start, start + length < items.length), totalCount: items.length }
}

/** @param start how many items come before this page. */
export function connectionOf<Node>(
  page: readonly Node[],
  start: number,
  hasNextPage: boolean,
): Connection<Node> {
  return {
    // A client that pages by the cursor of the last edge takes an empty one for the first page, so none is empty.
    edges: page.map((node, index) => ({ node, cursor: cursorOf(start + index + 1) })),
    pageInfo: { endCursor: page.length === 0 ? null : cursorOf(start + page.length), hasNextPage },
  }
}

export function lengthOf(first: number | null | undefined, otherwise: number): number {
  if (first == null) return Math.min(otherwise, pageMax)
  if (first < 0) throw new GridError('invalid', 'A page cannot have fewer than no entries')
  return Math.min(first, pageMax)
}

export function cursorOf(offset: number): string {
  return Buffer.from(`after:${offset}`).toString('base64')
}

/** @throws GridError invalid for a cursor that we did not make. */
export function offsetOf(after: string | null | undefined): number {
  if (!after) return 0
  const [, digits] = /^after:(\d{1,15})$/.exec(Buffer.from(after, 'base64').toString('latin1')) ?? []
  if (digits === undefined) throw new GridError('invalid', 'This cursor is not one of ours')
  return Number(digits)
}
