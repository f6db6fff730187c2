import { join, resolve, sep } from 'node:path'

/**
 * Where a downloaded file may go. Paths and names come from other people's scripts, so every piece that could leave the
 * folder is refused (files) or replaced (names of runs and experiments): nothing is ever written outside of it.
 */

/** Longest name that common file systems take, in bytes, with room for a suffix. */
const nameBytesMax = 200
const windowsReserved = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/i

/** A free-text name as one folder name. Different names may become the same one; the caller keeps them apart. */
export function folderName(name: string): string {
  // oxlint-disable-next-line no-control-regex
  let safe = name.replace(/[/\\\u0000-\u001f\u007f]/g, '_')
  if (process.platform === 'win32') safe = safe.replace(/[<>:"|?*]/g, '_').replace(/[. ]+$/, '_')
  while (Buffer.byteLength(safe) > nameBytesMax) safe = safe.slice(0, -1)
  if (safe.startsWith('.')) safe = `_${safe.slice(1)}`
  return safe === '' || windowsReserved.test(safe) ? `_${safe}` : safe
}

/**
 * The place of `path` under `folder`.
 *
 * @returns undefined for a path that is absolute, climbs out, or is no path at all.
 */
export function placeUnder(folder: string, path: string, platform = process.platform): string | undefined {
  if (path === '' || path.includes('\u0000') || path.startsWith('/')) return undefined
  const isWindows = platform === 'win32'
  if (isWindows && /[\\:]/.test(path)) return undefined
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return undefined
  if (isWindows && parts.some((part) => windowsReserved.test(part) || /[<>"|?*]|[. ]$/.test(part)))
    return undefined
  const place = join(folder, ...parts)
  // The check above decides; this one would catch it being wrong.
  return resolve(place).startsWith(resolve(folder) + sep) ? place : undefined
}
