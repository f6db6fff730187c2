import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { checkLink, checkTreePath, comparePaths, GridError } from '@teamgrid/api'

export type LocalFile = {
  kind: 'file'
  path: string
  place: string
  sizeBytes: number
  /** Nanoseconds; with size and inode it tells whether a file is the one that was read before. */
  changedNs: bigint
  inode: bigint
  executable: boolean
}
export type LocalEntry =
  | LocalFile
  | { kind: 'link'; path: string; target: string }
  | { kind: 'folder'; path: string }

/**
 * Everything in a folder, or one file by its name, sorted as manifests are.
 *
 * @param options.followLinks take what links lead to instead of the links.
 * @throws GridError not_found; invalid for links out of the folder, circles, and what is neither file nor folder.
 */
export async function readTree(root: string, options: { followLinks: boolean }): Promise<LocalEntry[]> {
  const found = await stat(root, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    throw new GridError('not_found', `Cannot read ${root}: ${error.message}`, { cause: error })
  })
  const entries: LocalEntry[] = []
  if (found.isFile()) return [fileOf(basename(root), root, found)]
  if (!found.isDirectory()) throw new GridError('invalid', `${root} is neither a file nor a folder`)
  await readFolder('', root, [await realpath(root)])
  return entries.sort((a, b) => comparePaths(a.path, b.path))

  async function readFolder(path: string, place: string, above: string[]): Promise<void> {
    const names = await readdir(place, { encoding: 'buffer' })
    if (names.length === 0 && path !== '') entries.push({ kind: 'folder', path })
    for (const bytes of names) {
      const name = bytes.toString()
      if (!Buffer.from(name).equals(bytes))
        throw new GridError('invalid', `The name of ${join(place, name)} is not UTF-8`, {
          hint: 'Rename it: names travel as UTF-8.',
        })
      await readEntry(path === '' ? name : `${path}/${name}`, join(place, name), above)
    }
  }

  async function readEntry(path: string, place: string, above: string[]): Promise<void> {
    checkTreePath(path)
    let status = await lstat(place, { bigint: true })
    if (status.isSymbolicLink()) {
      if (!options.followLinks) {
        const target = (await readlink(place)).split(sep).join('/')
        checkLink(path, target)
        entries.push({ kind: 'link', path, target })
        return
      }
      status = await stat(place, { bigint: true }).catch((error: unknown) => {
        throw new GridError('invalid', `The link ${path} leads nowhere`, { cause: error })
      })
    }
    if (status.isFile()) entries.push(fileOf(path, place, status))
    else if (status.isDirectory()) {
      const real = await realpath(place)
      if (above.includes(real)) throw new GridError('invalid', `The link ${path} leads into a circle`)
      await readFolder(path, place, [...above, real])
    } else {
      throw new GridError('invalid', `${path} is neither a file nor a folder`, {
        hint: 'Sockets, pipes and devices cannot be stored; move it away.',
      })
    }
  }
}

function fileOf(
  path: string,
  place: string,
  status: { size: bigint; mtimeNs: bigint; ino: bigint; mode: bigint },
): LocalFile {
  return {
    kind: 'file',
    path,
    place,
    sizeBytes: Number(status.size),
    changedNs: status.mtimeNs,
    inode: status.ino,
    executable: (status.mode & 0o100n) !== 0n,
  }
}

/** How a place is told to people: short where it can be. */
export function shortPlace(place: string, cwd: string): string {
  const near = relative(cwd, place)
  return near === '' ? '.' : near.startsWith('..') ? place : near
}
