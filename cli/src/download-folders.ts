import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Experiment } from '@teamgrid/api'
import { folderName } from './local-paths.ts'
import { runOf } from './resolve.ts'

/**
 * Which folder holds which experiment. Names may repeat, and downloading the second of two namesakes must not write over
 * the first, not even weeks later: so the download folder remembers in `.grid-folders.json` who has which name.
 */
type Owners = Record<string, string>

const indexName = '.grid-folders.json'

/** @returns for each experiment id `<run>/<experiment>`, relative to `root`. */
export async function foldersFor(
  root: string,
  experiments: readonly Experiment[],
): Promise<Map<string, string>> {
  const owners = await readOwners(root)
  const folders = assignFolders(owners, experiments)
  for (const [id, folder] of folders) owners[folder.toLowerCase()] = id
  await mkdir(root, { recursive: true })
  const fresh = join(root, `${indexName}.${process.pid}.new`)
  await writeFile(fresh, `${JSON.stringify(owners, null, 2)}\n`)
  await rename(fresh, join(root, indexName))
  return folders
}

/** Pure part: the plain name for the first, name and id for namesakes. Compared without case, as some disks do. */
export function assignFolders(
  owners: Readonly<Owners>,
  experiments: readonly Experiment[],
): Map<string, string> {
  const taken = new Map(Object.entries(owners))
  const folders = new Map<string, string>()
  for (const experiment of experiments) {
    const run = folderName(runOf(experiment))
    const plain = `${run}/${folderName(experiment.name)}`
    const candidates = [plain, `${plain}-${folderName(experiment.slug)}`, `${plain}-${experiment.id}`]
    const folder = candidates.find((name) => {
      const owner = taken.get(name.toLowerCase())
      return owner === undefined || owner === experiment.id
    })!
    taken.set(folder.toLowerCase(), experiment.id)
    folders.set(experiment.id, folder)
  }
  return folders
}

async function readOwners(root: string): Promise<Owners> {
  try {
    const value: unknown = JSON.parse(await readFile(join(root, indexName), 'utf8'))
    if (typeof value !== 'object' || value === null) return {}
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )
  } catch {
    // Not there yet, or spoiled: the folders are then named anew, and unchanged files are still recognised.
    return {}
  }
}
