import { Worker } from 'node:worker_threads'
import { type ErrorCode, GridError } from '@teamgrid/api'
import type { ArchiveFormat, Extracted, ExtractLimits } from './extract.ts'

type Told =
  | { progress: { files: number; bytes: number } }
  | { extracted: Extracted }
  | { failure: { code?: ErrorCode; message: string; hint?: string } }

/** Enough for the list of two million files. */
const heapMegabytes = 2048

/** Takes an archive apart in a thread of its own. @throws GridError as `extractArchive` */
export function extractInThread(
  given: { archive: string; format: ArchiveFormat; folder: string; limits: ExtractLimits },
  onProgress: (done: { files: number; bytes: number }) => void,
  signal: AbortSignal,
): Promise<Extracted> {
  const worker = new Worker(new URL('extract-worker.ts', import.meta.url), {
    workerData: given,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  })
  return new Promise<Extracted>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    worker.on('message', (told: Told) => {
      if ('progress' in told) onProgress(told.progress)
      else if ('extracted' in told) resolve(told.extracted)
      else {
        const { code, message, hint } = told.failure
        reject(code ? new GridError(code, message, hint === undefined ? {} : { hint }) : new Error(message))
      }
    })
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`Unpacking ended early (${code})`)))
  }).finally(() => void worker.terminate())
}

const suffixes: [RegExp, ArchiveFormat][] = [
  [/\.zip$/i, 'zip'],
  [/\.tar$/i, 'tar'],
  [/\.(?:tar\.gz|tgz)$/i, 'tar.gz'],
  [/\.(?:tar\.zst|tzst)$/i, 'tar.zst'],
]

/**
 * How a file of this name is taken apart; undefined for one that is stored as it is.
 * @throws GridError invalid for archives that we cannot read.
 */
export function archiveFormatOf(name: string): ArchiveFormat | undefined {
  if (/\.(?:tar\.(?:bz2|xz|lz4|lzma)|tbz2?|txz|7z|rar)$/i.test(name))
    throw new GridError('invalid', `${name} is packed in a way this server does not unpack`, {
      hint: 'It takes .zip, .tar, .tar.gz, .tgz and .tar.zst; unpack others and upload the folder.',
    })
  return suffixes.find(([pattern]) => pattern.test(name))?.[1]
}
