/** `extractArchive` in a thread: unpacking costs processor time that requests should not wait for. */
import { parentPort, workerData } from 'node:worker_threads'
import { GridError } from '@teamgrid/api'
import { type ArchiveFormat, extractArchive, type ExtractLimits } from './extract.ts'

const { archive, format, folder, limits } = workerData as {
  archive: string
  format: ArchiveFormat
  folder: string
  limits: ExtractLimits
}
let toldAt = 0
try {
  const extracted = await extractArchive(archive, format, folder, limits, (progress) => {
    if (Date.now() - toldAt < 500) return
    toldAt = Date.now()
    parentPort!.postMessage({ progress })
  })
  parentPort!.postMessage({ extracted })
} catch (error) {
  const known = error instanceof GridError ? error : undefined
  parentPort!.postMessage({
    failure: {
      code: known?.code,
      message: (error as Error).message,
      hint: known?.details.hint,
    },
  })
}
