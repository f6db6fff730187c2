import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** SHA-256 as hex. For secrets of full entropy only; passwords go through better-auth's slow hash. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** 256 unguessable bits, fit for a url. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** Compares without telling by its time how much was right. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(given)), Buffer.from(hashOf(expected)))
}
