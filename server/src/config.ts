/** Every setting of the server, its default and its reason. Read once, in `main.ts`. */
export type Config = {
  /** All state lives here; see `defaultDataDir`. */
  dataDir: string
  host: string
  port: number
  /** The address people and clients reach us at; signed urls and printed links start with it. No trailing slash. */
  publicUrl: string
  databaseUrl: string | null
  clickhouseUrl: string | null
  s3: S3Config | null
}

export type S3Config = {
  endpoint: string | null
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** Needed by SeaweedFS, MinIO and most servers that are not Amazon's. */
  forcePathStyle: boolean
}
