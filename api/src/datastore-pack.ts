/**
 * Many contents in one body: for each the SHA-256 (32 bytes), the size (8 bytes, big endian) and the bytes. So small
 * files cost no request each, neither up nor down.
 */
import { GridError } from './errors.ts'

export const packHeaderBytes = 40

export type PackedContent = {
  sha256Hex: string
  sizeBytes: number
  /** To be read to its end before the next one; what is left is skipped. */
  body: AsyncIterable<Uint8Array>
}

/**
 * Takes a pack apart as it arrives. Digests are what the pack says: whoever reads the bytes checks them.
 *
 * @throws GridError unavailable when it ends in the middle of a content.
 */
export async function* contentsOfPack(source: AsyncIterable<Uint8Array>): AsyncGenerator<PackedContent> {
  const chunks = source[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)

  /** @returns false at the end of the pack. */
  async function fill(): Promise<boolean> {
    while (rest.length === 0) {
      const next = await chunks.next()
      if (next.done) return false
      rest = next.value
    }
    return true
  }

  const header = new Uint8Array(packHeaderBytes)
  const view = new DataView(header.buffer)
  const cut = () => new GridError('unavailable', 'The transfer broke off in the middle of a file')
  try {
    for (;;) {
      let filled = 0
      while (filled < packHeaderBytes && (await fill())) {
        const piece = rest.subarray(0, packHeaderBytes - filled)
        header.set(piece, filled)
        filled += piece.length
        rest = rest.subarray(piece.length)
      }
      if (filled === 0) return
      if (filled < packHeaderBytes) throw cut()
      const sizeBytes = Number(view.getBigUint64(32))
      let left = sizeBytes
      async function* body() {
        while (left > 0) {
          if (!(await fill())) throw cut()
          const piece = rest.subarray(0, left)
          left -= piece.length
          rest = rest.subarray(piece.length)
          yield piece
        }
      }
      const sha256Hex = [...header.subarray(0, 32)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
      yield { sha256Hex, sizeBytes, body: body() }
      // What the reader left of it.
      for await (const _ of body()) continue
    }
  } finally {
    await chunks.return?.()
  }
}
