import type { Readable } from 'node:stream'

/** Size of every part but the last of a blob that arrives in parts; within S3's limits 320 GB in all. */
export const partBytes = 32 * 1024 * 1024

export type BlobStat = { sizeBytes: number; updatedAt: Date }

/**
 * Where file bytes live, under opaque keys such as `files/<project>/<experiment>/<sha256>` (our own, never a user's
 * file name). Two implementations, one contract: the file system and S3.
 */
export interface BlobStore {
  /**
   * Stores a stream under a key; visible only when complete (a broken upload leaves nothing). Overwrites.
   * @param limits.sizeBytes how much is to come, if known; a store that takes objects in parts makes them large enough.
   * @returns size and digests of what was stored (hex); with `expectedSha256Hex` no MD5, which costs twice as much.
   * @throws GridError storage_full when the disk is full; unavailable when the store does not answer.
   */
  put(
    key: string,
    body: Readable,
    limits?: {
      sizeMaxBytes?: number
      expectedMd5Hex?: string
      expectedSha256Hex?: string
      sizeBytes?: number
    },
  ): Promise<{ sizeBytes: number; md5Hex: string; sha256Hex: string }>
  /**
   * Begins a blob that arrives in parts, in any order and over any time; nothing is visible before `finishParts`.
   * @returns a token for the three calls below, also after a restart.
   */
  beginParts(key: string): Promise<string>
  /**
   * Stores part `number` (from 1) of `partBytes` bytes, the last one of fewer; sent again it takes its own place.
   * @param sizeBytes what the body must have.
   * @param startByte its place in the whole, where parts have another size than `partBytes`.
   * @returns what `finishParts` wants to know of the part.
   * @throws GridError invalid when the body has another size.
   */
  putPart(
    key: string,
    token: string,
    number: number,
    body: Readable,
    sizeBytes: number,
    startByte?: number,
  ): Promise<string>
  /** Makes a blob of parts 1 to n. */
  finishParts(key: string, token: string, parts: string[]): Promise<void>
  /** Forgets what arrived. Also fine when nothing did. */
  abandonParts(key: string, token: string): Promise<void>
  /** A stream of the bytes, or of `range` (both ends included). @throws GridError not_found */
  get(key: string, range?: { start: number; end: number }): Promise<Readable>
  /** Where the bytes lie in a file of this machine; undefined where they do not. For reading only. */
  localPath?(key: string): string
  stat(key: string): Promise<BlobStat | undefined>
  /** Copies inside the store; used to give content a second, content-addressed name without another upload. */
  copy(from: string, to: string): Promise<void>
  remove(keys: string[]): Promise<void>
  /** Keys with a prefix, in order. */
  list(prefix: string): AsyncIterable<{ key: string; sizeBytes: number }>
  close(): Promise<void>
}

/** A bucket of others that is read from, as a source of datastores. */
export type BucketAt = {
  bucket: string
  /** Null: Amazon's. */
  endpoint: string | null
  region: string
  /** Null: what everybody may read. */
  credential: { accessKeyId: string; secretAccessKey: string } | null
}

export type Bucket = {
  list(prefix: string): AsyncIterable<{ key: string; sizeBytes: number; etag: string }>
  /**
   * The object while it is still the one that was listed.
   * @throws GridError conflict when it was changed, not_found, invalid, unavailable
   */
  get(key: string, etag: string, range?: { start: number; end: number }): Promise<Readable>
  close(): void
}

export type OpenBucket = (at: BucketAt) => Bucket
