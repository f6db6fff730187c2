import { type DatastoreImport, type DatastoreVisibility, GridError } from '@teamgrid/api'
import type { Context } from '../context.ts'
import { createProgress } from '../progress.ts'
import { bytes } from '../time.ts'

const lookEveryMs = 1000

/** Sources that the server fetches by itself. */
export const isAddress = (source: string) => /^[a-z][a-z0-9+.-]*:\/\//i.test(source)

export type ImportOptions = {
  team: string
  name: string
  owner?: string | undefined
  visibility?: DatastoreVisibility | undefined
  endpoint?: string | undefined
  region?: string | undefined
}

/** @throws GridError when the source cannot be fetched at all. */
export async function startImport(
  context: Context,
  source: string,
  options: ImportOptions,
): Promise<DatastoreImport> {
  const { env } = context.io
  const { client } = await context.connection()
  const isBucket = /^s3:/i.test(source)
  const accessKeyId = env['AWS_ACCESS_KEY_ID']
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY']
  return client.datastores.startImport({
    source,
    team: options.team,
    name: options.name,
    owner: options.owner,
    visibility: options.visibility,
    ...(isBucket
      ? {
          endpoint: options.endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'],
          region: options.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'],
          ...(accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : {}),
        }
      : {}),
  })
}

const words: Partial<Record<DatastoreImport['state'], string>> = {
  fetching: 'Fetching',
  unpacking: 'Unpacking',
  storing: 'Storing',
}

/**
 * Watches until the version is made. Interrupted, it goes on in the server all the same.
 *
 * @throws GridError conflict with what went wrong, and how to try again.
 */
export async function followImport(context: Context, begun: DatastoreImport): Promise<DatastoreImport> {
  const { io } = context
  const { client } = await context.connection()
  let bar:
    | { state: string; ofBytes: number | null; shown: number; draw: ReturnType<typeof createProgress> }
    | undefined
  let now = begun
  try {
    for (;;) {
      if (now.state === 'done') return now
      if (now.state === 'failed') {
        throw new GridError('conflict', `${now.source} could not be taken: ${now.error}`, {
          hint: `Try again, going on where it was: grid datastore resume ${now.name}`,
        })
      }
      const label = words[now.state]
      if (label !== undefined) {
        if (bar?.state !== now.state || bar.ofBytes !== now.ofBytes) {
          bar?.draw.end()
          const draw = createProgress(io.stderr, io.now, now.ofBytes ?? now.doneBytes, now.files, label)
          bar = { state: now.state, ofBytes: now.ofBytes, shown: 0, draw }
        }
        bar.draw.received(now.doneBytes - bar.shown)
        bar.shown = now.doneBytes
      }
      await io.pause(lookEveryMs)
      if (io.interrupted.aborted) {
        io.stderr.write(
          `The server goes on with it (${bytes(now.doneBytes)} so far). Watch it: grid datastore resume ${now.name}\n`,
        )
        io.interrupted.throwIfAborted()
      }
      now = await client.datastores.import({ importId: begun.id })
    }
  } finally {
    bar?.draw.end()
  }
}
