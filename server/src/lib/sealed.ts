import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { GridError } from '@teamgrid/api'

export type Sealed = {
  /**
   * @param context what the secret belongs to, such as `webhook:<id>`: it opens with these very words only, so that a
   *   sealed text copied into another row is of no use there.
   * @returns `v1.<base64url>`; the same text seals differently each time.
   */
  seal(text: string, context: string): string
  /** @throws GridError unavailable when it was altered, moved to another context, or sealed with another secret. */
  open(sealed: string, context: string): string
}

const version = 'v1'
const nonceBytes = 12
const tagBytes = 16

/**
 * Secrets of others that we must be able to read again (webhook secrets, client secrets of single sign-on), encrypted
 * where they rest: AES-256-GCM under a key derived from the instance's secret with HKDF-SHA-256. The version names
 * cipher, key derivation and layout (nonce, ciphertext, tag), so that a later one can be told apart.
 *
 * It guards backups and copies of single tables; who can read the whole database has the instance's secret as well.
 * Random nonces of 96 bits are safe for some 2³² texts under one key (NIST SP 800-38D, 8.3).
 *
 * @param secret of the instance, of full entropy.
 */
export function createSealed(secret: string): Sealed {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `teamgrid sealed ${version}`, 32))
  const boundTo = (context: string) => Buffer.from(`${version}\n${context}`)
  return {
    seal(text, context) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(boundTo(context))
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${version}.${sealed.toString('base64url')}`
    },
    open(sealed, context) {
      try {
        const [given, body = ''] = sealed.split('.')
        if (given !== version) throw new Error(`Sealed with version "${given}"`)
        const bytes = Buffer.from(body, 'base64url')
        const nonce = bytes.subarray(0, nonceBytes)
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
          .setAAD(boundTo(context))
          .setAuthTag(bytes.subarray(bytes.length - tagBytes))
        const text = decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes))
        return Buffer.concat([text, decipher.final()]).toString('utf8')
      } catch (cause) {
        throw new GridError('unavailable', 'A stored secret does not open', {
          hint: 'The database may come from another installation; enter the secret again.',
          cause,
        })
      }
    },
  }
}
