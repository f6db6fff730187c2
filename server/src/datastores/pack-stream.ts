import { packHeaderBytes } from '@teamgrid/api'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import type { Content } from './content-store.ts'

/** Between two contents of one blob so many bytes are rather read and thrown away than asked for anew. */
const gapBytesMax = 256 * 1024

/**
 * Contents one after the other, each with its header. Neighbours in one blob are read in one go: a store that is asked
 * over the network would else be asked once for every small file.
 *
 * @param found sorted by blob and place.
 */
export async function* packStream(
  blobs: Pick<BlobStore, 'get'>,
  found: readonly Content[],
): AsyncGenerator<Buffer> {
  for (const neighbours of together(found)) {
    const withBytes = neighbours.filter(({ sizeBytes }) => sizeBytes > 0)
    for (const empty of neighbours) if (empty.sizeBytes === 0) yield headerOf(empty)
    const [first] = withBytes
    if (!first) continue
    const last = withBytes.at(-1)!
    const range = { start: first.startByte, end: last.startByte + last.sizeBytes - 1 }
    const stream = await blobs.get(first.blobKey, range)
    let at = first.startByte
    let next = 0
    try {
      for await (let chunk of stream as AsyncIterable<Buffer>) {
        while (chunk.length > 0) {
          const { startByte, sizeBytes } = withBytes[next]!
          const skipped = Math.min(Math.max(0, startByte - at), chunk.length)
          at += skipped
          chunk = chunk.subarray(skipped)
          if (chunk.length === 0) break
          if (at === startByte) yield headerOf(withBytes[next]!)
          const piece = chunk.subarray(0, startByte + sizeBytes - at)
          yield piece
          at += piece.length
          chunk = chunk.subarray(piece.length)
          if (at === startByte + sizeBytes) next += 1
        }
      }
    } finally {
      stream.destroy()
    }
  }
}

function* together(found: readonly Content[]): Generator<Content[]> {
  let some: Content[] = []
  let end = 0
  for (const content of found) {
    const isNear =
      some[0]?.blobKey === content.blobKey &&
      content.startByte >= end &&
      content.startByte - end <= gapBytesMax
    if (!isNear && some.length > 0) {
      yield some
      some = []
    }
    some.push(content)
    end = content.startByte + content.sizeBytes
  }
  if (some.length > 0) yield some
}

function headerOf({ sha256Hex, sizeBytes }: Content): Buffer {
  const header = Buffer.alloc(packHeaderBytes)
  header.write(sha256Hex, 'hex')
  header.writeBigUInt64BE(BigInt(sizeBytes), 32)
  return header
}
