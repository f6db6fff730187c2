import { join } from 'node:path'
import type { Config } from '../../config.ts'
import type { BlobStore } from './blob-store.ts'
import { openFsBlobStore } from './fs.ts'
import { openS3BlobStore } from './s3.ts'

/** The bucket of `S3_BUCKET`, or files under the data directory. @throws GridError one sentence */
export async function openBlobStore({ s3, dataDir }: Pick<Config, 's3' | 'dataDir'>): Promise<BlobStore> {
  return s3 ? await openS3BlobStore(s3) : await openFsBlobStore(join(dataDir, 'blobs'))
}
