import { randomBytes } from 'node:crypto'

/** The millisecond last asked for, the one written for it, and how many ids it has had: see `newId`. */
const last = { asked: -1, written: 0, count: 0 }
/** The count has 12 bits. */
const countMax = 0xfff

/**
 * A UUID version 7: 48 bits of milliseconds, a count of 12 bits, then 62 random bits. Ids sort by the time they were
 * made, and those of one millisecond in the order in which this process made them; new rows land at the end of an index.
 * Source: RFC 9562, sections 5.7 and 6.2 (method 1).
 */
export function newId(now: number = Date.now()): string {
  // More than the count holds borrow from the milliseconds after, which then go on from there.
  if (now < last.asked || now > last.written) Object.assign(last, { asked: now, written: now, count: 0 })
  else if (last.count < countMax) last.count++
  else Object.assign(last, { written: last.written + 1, count: 0 })
  const bytes = randomBytes(16)
  bytes.writeUIntBE(last.written, 0, 6)
  bytes.writeUInt16BE(0x7000 | last.count, 6)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'

/** `length` characters of `[0-9a-z]`, uniformly random and unguessable. */
export function randomText(length: number): string {
  let text = ''
  while (text.length < length) {
    // 252 = 7 × 36: larger bytes are thrown away, or the first letters would come more often.
    for (const byte of randomBytes(length))
      if (byte < 252 && text.length < length) text += alphabet[byte % 36]
  }
  return text
}
