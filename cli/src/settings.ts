import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GridError } from '@teamgrid/api'
import type { Io } from './io.ts'

/** What `~/.grid/settings.json` holds. Keys we do not know are kept as they are. */
export type Settings = {
  /** The server that `key` belongs to: the key is never sent anywhere else. */
  url?: string
  key?: string
  username?: string
  debug?: boolean
  ignore_warnings?: boolean
  [other: string]: unknown
}

export function settingsFolder(io: Pick<Io, 'env' | 'home'>): string {
  return io.env['GRID_CONFIG_DIR'] || join(io.home, '.grid')
}

/** @throws GridError invalid, if the file is there but is not readable JSON. */
export async function readSettings(io: Io): Promise<Settings> {
  const path = join(settingsFolder(io), 'settings.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new GridError('invalid', `Cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Settings
  } catch {
    // Said below in words of ours.
  }
  throw new GridError('invalid', `${path} is not a JSON object`, {
    hint: 'Repair it, or delete it and run grid login.',
  })
}

/** Writes the whole file anew, readable by its owner alone, so that a crash leaves the old or the new one. */
export async function writeSettings(io: Io, settings: Settings): Promise<void> {
  const folder = settingsFolder(io)
  const path = join(folder, 'settings.json')
  const fresh = `${path}.${process.pid}.new`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await rm(fresh, { force: true })
    await writeFile(fresh, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    await rename(fresh, path)
  } catch (error) {
    throw new GridError('unavailable', `Cannot write ${path}: ${(error as Error).message}`, { cause: error })
  }
}
