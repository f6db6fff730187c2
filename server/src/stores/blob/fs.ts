/**
 * Blobs as files. The key `files/p/e/abcdef` is the file `files/p/e/~ab/abcdef`: the last segment's first two letters
 * make a shard, so no folder grows huge, and `~` cannot occur in keys, so a key may also be another's beginning.
 *
 * Invariants: what has a name is complete and on disk (written beside, synced, renamed, folder synced); files are
 * never changed in place, so a copy may be a hard link.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { GridError } from '@teamgrid/api'
import { type BlobStore, partBytes } from './blob-store.ts'
import { checkKey, checkPrefix, checkRange, wrongSize } from './keys.ts'
import { createMeter } from './meter.ts'

/** Between making a folder and moving a file into it, a removal may take the empty folder away again. */
const moveAttemptsMax = 10
const removalsAtOnce = 16

/**
 * @param folder made if missing, closed to others. One process at a time may use it (see `lock.ts`).
 * @throws GridError unavailable or storage_full
 */
export async function openFsBlobStore(folder: string): Promise<BlobStore> {
  const incoming = join(folder, '~incoming')
  /** Blobs that arrive in parts, each a file that grows holes and fills them; kept over restarts. */
  const unfinishedParts = join(folder, '~parts')
  await translate(async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // Uploads that a crash cut off; they never got a name.
    await rm(incoming, { recursive: true, force: true })
    await mkdir(incoming, { mode: 0o700 })
    await mkdir(unfinishedParts, { recursive: true, mode: 0o700 })
  })

  function pathOf(key: string): string {
    checkKey(key)
    const segments = key.split('/')
    const last = segments.pop()!
    return join(folder, ...segments, `~${last.slice(0, 2)}`, last)
  }

  function partsPath(token: string): string {
    if (!/^[0-9a-f-]{36}$/.test(token)) throw new GridError('not_found')
    return join(unfinishedParts, token)
  }

  return {
    put: (key, body, limits) =>
      translate(async () => {
        const path = pathOf(key)
        const unfinished = join(incoming, randomUUID())
        const meter = createMeter(limits)
        try {
          const file = await open(unfinished, 'wx', 0o600)
          try {
            await pipeline(body, meter.stream, (source) => file.writeFile(source as AsyncIterable<Buffer>))
            await file.sync()
          } finally {
            await file.close()
          }
          await moveTo(unfinished, path, folder)
          return meter.stored()
        } catch (error) {
          await rm(unfinished, { force: true })
          throw error
        }
      }),

    beginParts: (key) =>
      translate(async () => {
        pathOf(key)
        const token = randomUUID()
        await (await open(partsPath(token), 'wx', 0o600)).close()
        return token
      }),

    putPart: (_key, token, number, body, sizeBytes, startByte) =>
      translate(async () => {
        const file = await open(partsPath(token), 'r+')
        try {
          const start = startByte ?? (number - 1) * partBytes
          let at = start
          for await (const chunk of body as AsyncIterable<Buffer>) {
            if (at + chunk.length > start + sizeBytes) throw wrongSize(sizeBytes)
            await file.write(chunk, 0, chunk.length, at)
            at += chunk.length
          }
          if (at !== start + sizeBytes) throw wrongSize(sizeBytes)
          await file.datasync()
        } finally {
          await file.close()
        }
        return String(sizeBytes)
      }),

    finishParts: (key, token, parts) =>
      translate(async () => {
        const file = await open(partsPath(token), 'r+')
        try {
          // Beyond the last part there may be one that is not wanted any more.
          await file.truncate(parts.reduce((sum, sizeBytes) => sum + Number(sizeBytes), 0))
          await file.sync()
        } finally {
          await file.close()
        }
        await moveTo(partsPath(token), pathOf(key), folder)
      }),

    abandonParts: (_key, token) => translate(() => rm(partsPath(token), { force: true })),

    get: (key, range) =>
      translate(async () => {
        const file = await open(pathOf(key), 'r')
        try {
          if (range) checkRange(range, (await file.stat()).size)
          return file.createReadStream(range)
        } catch (error) {
          await file.close()
          throw error
        }
      }),

    localPath: pathOf,

    stat: (key) =>
      translate(async () => {
        const found = await orUndefined(stat(pathOf(key)))
        return found && { sizeBytes: found.size, updatedAt: found.mtime }
      }),

    copy: (from, to) =>
      translate(async () => {
        const source = pathOf(from)
        const target = pathOf(to)
        const unfinished = join(incoming, randomUUID())
        try {
          await linkOrCopy(source, unfinished)
          await moveTo(unfinished, target, folder)
        } finally {
          // Renaming one hard link of a file to another does nothing, also not with the old name. Source: rename(2).
          await rm(unfinished, { force: true })
        }
      }),

    remove: (keys) =>
      translate(async () => {
        const paths = keys.map(pathOf)
        for (let from = 0; from < paths.length; from += removalsAtOnce)
          await Promise.all(paths.slice(from, from + removalsAtOnce).map((path) => removeFile(path, folder)))
      }),

    async *list(prefix) {
      checkPrefix(prefix)
      const parent = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      for await (const key of keysBelow(folder, parent)) {
        if (!key.startsWith(prefix)) continue
        const found = await orUndefined(stat(pathOf(key)))
        if (found) yield { key, sizeBytes: found.size }
      }
    },

    close: () => Promise.resolve(),
  }
}

/** In the order Amazon's S3 has: of the whole key, byte by byte. @param parent empty, or ends with `/`. */
async function* keysBelow(folder: string, parent: string): AsyncIterable<string> {
  const here = join(folder, ...parent.split('/'))
  const entries = (await orUndefined(readdir(here, { withFileTypes: true }))) ?? []
  const names: string[] = []
  for (const entry of entries) {
    if (!entry.isDirectory()) continue
    if (!entry.name.startsWith('~')) names.push(`${entry.name}/`)
    else if (entry.name !== '~incoming' && entry.name !== '~parts')
      names.push(...((await orUndefined(readdir(join(here, entry.name)))) ?? []))
  }
  names.sort((a, b) => (a < b ? -1 : 1))
  for (const name of names) {
    if (name.endsWith('/')) yield* keysBelow(folder, parent + name)
    else yield parent + name
  }
}

/** Gives a finished file its name, so that both survive a power cut. */
async function moveTo(unfinished: string, path: string, folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const firstMade = await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    try {
      await rename(unfinished, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && attempt < moveAttemptsMax) continue
      throw error
    }
    // A new folder is itself an entry of its parent, up to the first that was there before.
    const last = firstMade === undefined ? dirname(path) : dirname(firstMade)
    for (
      let each = dirname(path);
      each.length >= last.length && each.startsWith(folder);
      each = dirname(each)
    )
      await syncFolder(each)
    return
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await orUndefined(open(path, constants.O_RDONLY))
  try {
    await handle?.sync()
  } finally {
    await handle?.close()
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    // Not every file system has hard links, and each file may have only so many.
    if (
      !['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EXDEV'].includes(
        (error as NodeJS.ErrnoException).code ?? '',
      )
    )
      throw error
    await copyFile(from, to, constants.COPYFILE_FICLONE)
    const copy = await open(to, 'r')
    await copy.sync()
    await copy.close()
  }
}

async function removeFile(path: string, folder: string): Promise<void> {
  await orUndefined(unlink(path))
  for (let each = dirname(path); each.startsWith(folder + sep); each = dirname(each)) {
    try {
      await rmdir(each)
    } catch {
      return // not empty, or somebody else removed it: both are fine
    }
  }
}

async function orUndefined<T>(pending: Promise<T>): Promise<T | undefined> {
  try {
    return await pending
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

async function translate<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    switch ((cause as NodeJS.ErrnoException).code) {
      case 'ENOENT':
      case 'ENOTDIR':
        throw new GridError('not_found', undefined, { cause })
      case 'ENOSPC':
      case 'EDQUOT':
        throw new GridError('storage_full', undefined, { cause, retryAfterSeconds: 60 })
      case 'EACCES':
      case 'EPERM':
      case 'EROFS':
      case 'EIO':
      case 'EMFILE':
      case 'ENFILE':
        throw new GridError('unavailable', 'The file store of this server does not work; try again later.', {
          cause,
          retryAfterSeconds: 10,
        })
      default:
        throw cause
    }
  }
}
