import { createHmac, timingSafeEqual } from 'node:crypto'
import { GridError } from '@teamgrid/api'
import type { Clock } from './clock.ts'

/**
 * For whom a link was made, and to a part of what: it stops working when they leave the team, and when the thing is no
 * longer theirs to see. The operator is nobody and in none.
 */
export type LinkHolder = {
  userId: string
  teamId: string
  /** Absent for what a registry shows, which is the organisation's. */
  of?: { kind: 'experiment' | 'artifact' | 'datastore'; id: string }
}

/** What the bearer of a signed blob url may do. */
export type BlobClaim =
  | {
      do: 'get'
      blobKey: string
      mediaType: string
      download?: boolean
      reader?: LinkHolder
      /** Where in the blob it lies, when several things share one. */
      slice?: { startByte: number; sizeBytes: number }
    }
  | ({ writer?: LinkHolder } & (
      | { do: 'put-file'; experimentId: string; path: string }
      | { do: 'put-artifact'; artifactId: string; md5Hex: string; expectedSize?: number }
      | {
          do: 'put-part'
          artifactId: string
          content: string
          partNumber: number
          /** How many there are; the last one may be smaller than the rest. */
          partCount: number
          md5Hex: string
        }
      | { do: 'put-manifest'; manifestId: string }
    ))

export type SignedUrls = {
  /** A path `/blobs/<token>/<file name>`; put the address of the server before it. Valid for 24 h unless told. */
  sign(claim: BlobClaim, options: { fileName: string; ttlSeconds?: number }): string
  /** @throws GridError forbidden when the token was altered, not_found when it has expired. */
  open(token: string): BlobClaim
}

/** The part of a claim to send something that says whose link it is. */
export function writerOf(
  { userId }: { userId: string | null },
  teamId: string,
  of: NonNullable<LinkHolder['of']>,
): { writer?: LinkHolder } {
  return userId === null ? {} : { writer: { userId, teamId, of } }
}

/** The same of a claim to read. */
export function readerOf(
  { userId }: { userId: string | null },
  teamId: string,
  of?: LinkHolder['of'],
): { reader?: LinkHolder } {
  return userId === null ? {} : { reader: { userId, teamId, ...(of ? { of } : {}) } }
}

const daySeconds = 24 * 60 * 60

/**
 * Urls that work without a login, because the wandb client sends none to them: the claim and its expiry, signed.
 * They can't be revoked one by one, so their life is short and each names exactly one thing.
 */
export function createSignedUrls({ secret, clock }: { secret: string; clock: Clock }): SignedUrls {
  const mac = (text: string) => createHmac('sha256', `blob-url:${secret}`).update(text).digest()
  return {
    sign(claim, { fileName, ttlSeconds = daySeconds }) {
      // Rounded up to the hour, so that a url asked for twice is the same and browsers can cache what is behind it.
      const seconds = Math.ceil((clock.now().getTime() / 1000 + ttlSeconds) / 3600) * 3600
      const body = Buffer.from(JSON.stringify({ ...claim, exp: seconds })).toString('base64url')
      const name = encodeURIComponent(fileName.split('/').at(-1) || 'file')
      return `/blobs/${body}.${mac(body).toString('base64url')}/${name}`
    },
    open(token) {
      const [body = '', signature = ''] = token.split('.')
      const given = Buffer.from(signature, 'base64url')
      const expected = mac(body)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw new GridError('forbidden', 'This link was not made by this server')
      }
      const { exp, ...claim } = JSON.parse(Buffer.from(body, 'base64url').toString()) as BlobClaim & {
        exp: number
      }
      if (exp * 1000 < clock.now().getTime()) {
        throw new GridError('not_found', 'This link has expired; ask for a new one')
      }
      return claim as BlobClaim
    },
  }
}
