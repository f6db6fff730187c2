import type { FileInfo } from '@teamgrid/api'

/** What lies directly in a folder: its folders with counts and sizes, then its files, both by name. @param folder '' is the top. */
export function folderOf(
  files: readonly FileInfo[],
  folder: string,
): { folders: { name: string; files: number; sizeBytes: number }[]; here: FileInfo[] } {
  const prefix = folder === '' ? '' : `${folder}/`
  const folders = new Map<string, { name: string; files: number; sizeBytes: number }>()
  const here: FileInfo[] = []
  for (const file of files) {
    if (!file.path.startsWith(prefix)) continue
    const rest = file.path.slice(prefix.length)
    const slash = rest.indexOf('/')
    if (slash < 0) {
      here.push(file)
      continue
    }
    const name = rest.slice(0, slash)
    const known = folders.get(name) ?? { name, files: 0, sizeBytes: 0 }
    folders.set(name, { name, files: known.files + 1, sizeBytes: known.sizeBytes + file.sizeBytes })
  }
  const byName = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true })
  return {
    folders: [...folders.values()].toSorted((a, b) => byName(a.name, b.name)),
    here: here.toSorted((a, b) => byName(a.path, b.path)),
  }
}
