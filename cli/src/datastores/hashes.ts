import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Io } from '../io.ts'
import { settingsFolder } from '../settings.ts'
import type { LocalFile } from './tree.ts'

/** What was read before need not be read again while name, size, time and inode are the same. */
export type HashCache = {
  of(file: LocalFile): string | undefined
  set(file: LocalFile, sha256Hex: string): void
  save(): Promise<void>
}

const folderOf = (io: Pick<Io, 'env' | 'home'>) => join(settingsFolder(io), 'datastore-cache')

/** @param root of the tree; each has a cache of its own. One that cannot be read or written only costs time. */
export async function openHashCache(io: Io, root: string): Promise<HashCache> {
  const folder = folderOf(io)
  const name = join(folder, createHash('sha256').update(root).digest('hex').slice(0, 32))
  const known = new Map<string, string>()
  const text = await readFile(name, 'utf8').catch(() => '')
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ')
    if (at === 64) known.set(line.slice(at + 1), line.slice(0, at))
  }
  const used = new Map<string, string>()
  const key = ({ place, sizeBytes, changedNs, inode }: LocalFile) =>
    JSON.stringify([place, sizeBytes, String(changedNs), String(inode)])
  return {
    of(file) {
      const found = known.get(key(file))
      if (found !== undefined) used.set(key(file), found)
      return found
    },
    set: (file, sha256Hex) => void used.set(key(file), sha256Hex),
    async save() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const fresh = `${name}.${process.pid}.new`
        const lines = [...used].map(([file, sha256Hex]) => `${sha256Hex} ${file}\n`)
        await writeFile(fresh, lines.join(''), { mode: 0o600 })
        await rename(fresh, name)
      } catch {
        // Next time everything is read again.
      }
    },
  }
}

export async function clearHashCache(io: Pick<Io, 'env' | 'home'>): Promise<void> {
  await rm(folderOf(io), { recursive: true, force: true })
}

const chunkBytes = 1024 * 1024

export async function sha256Of(
  place: string,
  read: (bytes: number) => void,
  signal: AbortSignal,
): Promise<{ sha256Hex: string; sizeBytes: number }> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of createReadStream(place, { highWaterMark: chunkBytes, signal })) {
    hash.update(chunk as Buffer)
    sizeBytes += (chunk as Buffer).length
    read((chunk as Buffer).length)
  }
  return { sha256Hex: hash.digest('hex'), sizeBytes }
}
