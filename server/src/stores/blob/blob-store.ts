import type { Readable } from 'node:stream'

export type BlobStat = { sizeBytes: number; updatedAt: Date }

/**
 * Where file bytes live, under opaque keys such as `files/<project>/<experiment>/<sha256>` (our own, never a user's
 * file name). Two implementations, one contract: the file system and S3.
 */
export interface BlobStore {
  /**
   * Stores a stream under a key; visible only when complete (a broken upload leaves nothing). Overwrites.
   * @param limits.sizeBytes how much is to come, if known; a store that takes objects in parts makes them large enough.
   * @returns size and digests of what was stored (hex).
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
  /** A stream of the bytes, or of `range` (both ends included). @throws GridError not_found */
  get(key: string, range?: { start: number; end: number }): Promise<Readable>
  stat(key: string): Promise<BlobStat | undefined>
  /** Copies inside the store; used to give content a second, content-addressed name without another upload. */
  copy(from: string, to: string): Promise<void>
  remove(keys: string[]): Promise<void>
  /** Keys with a prefix, in order. */
  list(prefix: string): AsyncIterable<{ key: string; sizeBytes: number }>
  close(): Promise<void>
}
