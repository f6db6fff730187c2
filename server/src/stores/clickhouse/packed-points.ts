/**
 * Points packed into integers that sort like them. A pair of floats becomes one 128-bit integer, the first float in its
 * high half, so `min` and `max` in the engine find the lowest and highest pair and a tie has one winner, whatever the
 * order and the parts of the rows.
 */
export type Point = [x: number, y: number]

/**
 * SQL: the bits of a float as an integer of the same order: the sign bit is flipped, and all others too in a negative
 * one. Shifting a signed integer right by 63 gives all ones or all zeros.
 */
export function ordered(column: string): string {
  const bits = `reinterpretAsInt64(${column})`
  return `reinterpretAsUInt64(bitXor(${bits}, bitOr(bitShiftRight(${bits}, 63), toInt64('-9223372036854775808'))))`
}

/** SQL: two `ordered` floats as one integer. */
export function packed(high: string, low: string): string {
  return `bitOr(bitShiftLeft(toUInt128(${high}), 64), toUInt128(${low}))`
}

const view = new DataView(new ArrayBuffer(8))

/** @param hex a packed pair; the engine leaves out leading zero bytes. */
export function unpacked(hex: string): Point {
  const digits = hex.padStart(32, '0')
  return [unordered(digits, 0), unordered(digits, 16)]
}

function unordered(digits: string, start: number): number {
  return floatOf(
    Number.parseInt(digits.slice(start, start + 8), 16),
    Number.parseInt(digits.slice(start + 8, start + 16), 16),
  )
}

/** SQL: many packed pairs as one text, for `unpackedAll`; a hundred thousand floats as JSON take much longer. */
export function packedColumn(column: string): string {
  return `base64Encode(arrayStringConcat(groupArray(CAST(reinterpretAsFixedString(${column}) AS String))))`
}

/** @returns the pairs one after the other: twice as many floats as pairs. */
export function unpackedAll(base64: string): Float64Array {
  const bytes = Buffer.from(base64, 'base64')
  const floats = new Float64Array(bytes.length / 8)
  for (let at = 0, index = 0; at < bytes.length; at += 16, index += 2) {
    floats[index] = floatOf(bytes.readUInt32LE(at + 12), bytes.readUInt32LE(at + 8))
    floats[index + 1] = floatOf(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at))
  }
  return floats
}

function floatOf(high: number, low: number): number {
  const positive = high >= 0x80000000
  view.setUint32(0, positive ? high - 0x80000000 : ~high)
  view.setUint32(4, positive ? low : ~low)
  return view.getFloat64(0)
}
