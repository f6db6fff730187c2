/**
 * The little of tar that exports need: plain files with short ASCII names, one after the other, in 512-byte blocks.
 * Anything else in an archive (links, devices, long names) is refused, because archives come from strangers.
 * Source: POSIX.1-1988 ustar.
 */
import { GridError } from './errors.ts'

export const tarBlock = 512
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A path of an archive: our own names only, so that nothing leads out of the folder it is unpacked into. */
const safeName = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*(\/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*$/

/** @throws GridError invalid, for a name that no export of ours has. */
export function checkTarName(name: string): string {
  if (!safeName.test(name) || name.length > 250)
    throw new GridError('invalid', `"${name.slice(0, 100)}" is no name in an export`)
  return name
}

/** The block before a file's bytes. */
export function tarHeader(name: string, sizeBytes: number): Uint8Array {
  checkTarName(name)
  const block = new Uint8Array(tarBlock)
  const put = (text: string, at: number) => block.set(encoder.encode(text), at)
  const { prefix, rest } = split(name)
  put(rest, 0)
  put('0000644\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  // Sizes of 8 GiB and more do not fit eleven octal digits: GNU's base-256 form.
  if (sizeBytes < 8 ** 11) put(`${sizeBytes.toString(8).padStart(11, '0')} `, 124)
  else new DataView(block.buffer).setBigUint64(128, BigInt(sizeBytes))
  if (sizeBytes >= 8 ** 11) block[124] = 0x80
  put('00000000000 ', 136)
  put('        ', 148)
  put('0', 156)
  put('ustar\u000000', 257)
  put(prefix, 345)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** @returns undefined for the empty block that ends an archive. @throws GridError invalid. */
export function readTarHeader(block: Uint8Array): { name: string; sizeBytes: number } | undefined {
  if (block.every((byte) => byte === 0)) return undefined
  const text = (from: number, length: number) =>
    decoder.decode(block.subarray(from, from + length)).split('\0')[0]!
  const expected = Number.parseInt(text(148, 8), 8)
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0)
  if (expected !== sum) throw new GridError('invalid', 'This is no export, or it is damaged')
  const type = block[156]
  if (type !== 0x30 && type !== 0) throw new GridError('invalid', 'An export holds plain files only')
  const size =
    block[124] === 0x80
      ? Number(new DataView(block.buffer, block.byteOffset).getBigUint64(128))
      : Number.parseInt(text(124, 12), 8)
  if (!Number.isSafeInteger(size) || size < 0) throw new GridError('invalid', 'This export is damaged')
  const prefix = text(345, 155)
  return { name: checkTarName(prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`), sizeBytes: size }
}

/** How many zero bytes follow a file of this size. */
export const tarPadding = (sizeBytes: number): number => (tarBlock - (sizeBytes % tarBlock)) % tarBlock

function split(name: string): { prefix: string; rest: string } {
  if (name.length <= 100) return { prefix: '', rest: name }
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1))
    if (at <= 155 && name.length - at - 1 <= 100)
      return { prefix: name.slice(0, at), rest: name.slice(at + 1) }
  throw new GridError('invalid', `"${name.slice(0, 100)}" is too long for an archive`)
}

export type TarEntry = { name: string; sizeBytes: number; body: AsyncGenerator<Uint8Array> }

/**
 * The files of an archive in order. Each body must be read to its end before the next is asked for; what is left of it
 * is skipped.
 *
 * @throws GridError invalid, when it is damaged or breaks off.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const chunks = source[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array(0)
  /** Up to `bytesMax` bytes; empty at the end of the source. */
  const some = async (bytesMax: number): Promise<Uint8Array> => {
    while (held.length === 0) {
      const next = await chunks.next()
      if (next.done) return held
      held = next.value
    }
    const part = held.subarray(0, bytesMax)
    held = held.subarray(part.length)
    return part
  }
  const exactly = async (bytes: number): Promise<Uint8Array> => {
    const whole = new Uint8Array(bytes)
    let filled = 0
    while (filled < bytes) {
      const part = await some(bytes - filled)
      if (part.length === 0) throw new GridError('invalid', 'This export breaks off')
      whole.set(part, filled)
      filled += part.length
    }
    return whole
  }
  for (;;) {
    const header = readTarHeader(await exactly(tarBlock))
    if (header === undefined) break
    let left = header.sizeBytes
    const body = (async function* () {
      while (left > 0) {
        const part = await some(left)
        if (part.length === 0) throw new GridError('invalid', 'This export breaks off')
        left -= part.length
        yield part
      }
    })()
    yield { ...header, body }
    while (left > 0) left -= (await exactly(Math.min(left, 65_536))).length
    await exactly(tarPadding(header.sizeBytes))
  }
  // What follows the end is padding; a sender that is still speaking is heard out.
  while ((await some(65_536)).length > 0);
}
