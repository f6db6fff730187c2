/**
 * The manifest of a datastore's version: one JSON object a line, sorted by the bytes of the paths, so that equal trees
 * have equal manifests and the SHA-256 of its text names the tree. It travels gzipped.
 */
import { GridError } from './errors.ts'

export type ManifestEntry =
  | { kind: 'file'; path: string; sizeBytes: number; sha256Hex: string; executable: boolean }
  /** `target` as it stands in the link, relative to the link's folder; never out of the tree. */
  | { kind: 'link'; path: string; target: string }
  /** Only folders with nothing in them need an entry. */
  | { kind: 'folder'; path: string }

/** A line with its newline. */
export function printManifestLine(entry: ManifestEntry): string {
  const { kind, path } = entry
  if (kind === 'link') return `${JSON.stringify({ p: path, l: entry.target })}\n`
  if (kind === 'folder') return `${JSON.stringify({ p: path, d: 1 })}\n`
  const { sizeBytes: s, sha256Hex: h, executable } = entry
  return `${JSON.stringify(executable ? { p: path, s, h, x: 1 } : { p: path, s, h })}\n`
}

/** @param line without its newline. @throws GridError invalid, also for a line that another writer would print otherwise. */
export function readManifestLine(line: string): ManifestEntry {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new GridError('invalid', `A line of the manifest is not JSON: ${line.slice(0, 100)}`)
  }
  const entry = entryOf(value)
  if (entry === undefined || printManifestLine(entry) !== `${line}\n`)
    throw new GridError('invalid', `A line of the manifest is not as it should be: ${line.slice(0, 100)}`)
  checkTreePath(entry.path)
  if (entry.kind === 'link') checkLink(entry.path, entry.target)
  return entry
}

function entryOf(value: unknown): ManifestEntry | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { p: path, s, h, x, l, d } = value as Record<string, unknown>
  if (typeof path !== 'string') return undefined
  if (typeof l === 'string') return { kind: 'link', path, target: l }
  if (d === 1) return { kind: 'folder', path }
  if (typeof s !== 'number' || !Number.isSafeInteger(s) || s < 0) return undefined
  if (typeof h !== 'string' || !/^[0-9a-f]{64}$/.test(h)) return undefined
  return { kind: 'file', path, sizeBytes: s, sha256Hex: h, executable: x === 1 }
}

const pathBytesMax = 4096
const nameBytesMax = 255
const utf8 = new TextEncoder()

/**
 * A path inside a tree: `a/b/c`, of names that every file system can hold.
 *
 * @throws GridError invalid, naming the path.
 */
export function checkTreePath(path: string): void {
  const names = path.split('/')
  const isWhole = names.every((name) => name !== '' && name !== '.' && name !== '..')
  if (!isWhole || path.includes('\0') || !path.isWellFormed())
    throw new GridError('invalid', `${JSON.stringify(path.slice(0, 200))} is not a path inside a datastore`)
  if (
    utf8.encode(path).length > pathBytesMax ||
    names.some((name) => name.length * 3 > nameBytesMax && utf8.encode(name).length > nameBytesMax)
  )
    throw new GridError('invalid', `The path ${JSON.stringify(path.slice(0, 200))} … is too long`)
}

/** @throws GridError invalid, for a link that leads out of the tree. */
export function checkLink(path: string, target: string): void {
  const isOutside = () =>
    new GridError(
      'invalid',
      `The link ${JSON.stringify(path)} leads out of the folder, to ${JSON.stringify(target)}`,
      { hint: 'Remove it, or upload with --follow-symlinks to take what it leads to.' },
    )
  if (target === '' || target.startsWith('/') || target.includes('\0') || !target.isWellFormed())
    throw isOutside()
  let depth = path.split('/').length - 1
  for (const name of target.split('/')) {
    if (name === '..') depth -= 1
    else if (name !== '.' && name !== '') depth += 1
    if (depth < 0) throw isOutside()
  }
}

/** The order of paths in a manifest: by the bytes of their UTF-8, which is that of their code points. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left === right) continue
    // Surrogates stand for code points above all others.
    const leftIsHigh = left >= 0xd800 && left <= 0xdfff
    const rightIsHigh = right >= 0xd800 && right <= 0xdfff
    if (leftIsHigh !== rightIsHigh) return leftIsHigh ? 1 : -1
    return left - right
  }
  return a.length - b.length
}

/**
 * The name a datastore gets from what it is made of: the last part of the path, without archive suffixes, in lower
 * case and safe characters (`trainingSet.tar.gz` → `trainingset`). Empty when nothing is left.
 */
export function datastoreNameOf(source: string): string {
  const last = source.split(/[?#]/)[0]!.replace(/\/+$/, '').split('/').at(-1) ?? ''
  const stem = last.replace(/(\.(zip|tar|tgz|gz|bz2|xz|zst|csv|json|jsonl|parquet|txt))+$/i, '')
  const name = stem
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 64)
  return /^\d+$/.test(name) ? `data-${name}` : name.replace(/[^a-z0-9]+$/, '')
}
