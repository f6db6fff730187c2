import { randomBytes } from 'node:crypto'

/**
 * A UUID version 7: 48 bits of milliseconds, then 74 random bits, so ids sort by the time they were made and new
 * rows land at the end of an index. Source: RFC 9562, section 5.7.
 */
export function newId(now: number = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
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
