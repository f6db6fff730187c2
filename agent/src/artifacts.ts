/**
 * The files that an experiment makes: everything in its folder that was not there when it began. Sent while it runs once
 * they have been quiet for a moment, and all of them at the end.
 */
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { attemptFiles } from './attempt-dir.ts'
import type { Server } from './http.ts'
import { Refused } from './http.ts'

const skipped = new Set([
  '.git',
  '__pycache__',
  '.venv',
  'node_modules',
  'wandb',
  '.ipynb_checkpoints',
  '.cache',
  '.pytest_cache',
])
const filesMax = 10_000
const quietMs = 5000
const remembered = 'pushed.json'
const before = 'before.json'

type Seen = Record<string, string>

/** Notes what is there before the program runs. Paths by size and time: what changes later is the program's own. */
export async function noteBefore(folder: string): Promise<void> {
  await writeFile(join(folder, before), JSON.stringify(await seenIn(join(folder, attemptFiles.work))))
}

export async function pushArtifacts(
  server: Server,
  base: string,
  folder: string,
  isLast: boolean,
): Promise<void> {
  const root = join(folder, attemptFiles.work)
  const known = { ...(await read(folder, before)), ...(await read(folder, remembered)) }
  const now = await seenIn(root)
  for (const [path, mark] of Object.entries(now)) {
    if (known[path] === mark) continue
    if (!isLast && Date.now() - Number(mark.split(' ')[1]) < quietMs) continue
    const file = join(root, path)
    const size = (await stat(file).catch(() => undefined))?.size
    if (size === undefined) continue
    const address = `${base}/files/${path.split('/').map(encodeURIComponent).join('/')}`
    try {
      await server.ask('PUT', address, {
        bytes: () =>
          size === 0 ? new Uint8Array() : (Readable.toWeb(createReadStream(file)) as unknown as BodyInit),
        sizeBytes: size,
      })
    } catch (error) {
      // One that cannot be kept (too large, no name for a file) must not hold up the others, nor the end.
      if (!(error instanceof Refused) || [401, 404, 410].includes(error.status)) throw error
    }
    known[path] = mark
    await writeFile(join(folder, remembered), JSON.stringify(known))
  }
}

async function read(folder: string, name: string): Promise<Seen> {
  return JSON.parse(await readFile(join(folder, name), 'utf8').catch(() => '{}')) as Seen
}

async function seenIn(root: string): Promise<Seen> {
  const seen: Seen = {}
  const open = ['']
  while (open.length > 0 && Object.keys(seen).length < filesMax) {
    const at = open.pop()!
    for (const entry of await readdir(join(root, at), { withFileTypes: true }).catch(() => [])) {
      if (skipped.has(entry.name)) continue
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (entry.isDirectory()) open.push(path)
      else if (entry.isFile()) {
        const found = await stat(join(root, path)).catch(() => undefined)
        if (found) seen[path] = `${found.size} ${Math.floor(found.mtimeMs)}`
      }
    }
  }
  return seen
}
