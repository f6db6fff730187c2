import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type GridClient, GridError } from '@teamgrid/api'
import { type Ask, askOf, clientOf, normalizeUrl } from '../connection.ts'
import type { Io } from '../io.ts'

/** The server's own default, see its `config.ts`. */
export function dataFolder(io: Pick<Io, 'env' | 'home'>, isRoot = process.getuid?.() === 0): string {
  const given = io.env['TEAMGRID_DATA']?.trim()
  if (!given) return isRoot ? '/var/lib/teamgrid' : join(io.home, '.teamgrid')
  return resolve(given === '~' || given.startsWith('~/') ? join(io.home, given.slice(1)) : given)
}

/**
 * A client that proves the operator by the token in the data directory: who can read that may do everything anyway.
 *
 * @throws GridError unauthenticated, when there is no token to read.
 */
export async function operatorConnection(io: Io): Promise<{ client: GridClient; ask: Ask }> {
  const folder = dataFolder(io)
  const path = join(folder, 'operator-token')
  let token: string
  try {
    token = (await readFile(path, 'utf8')).trim()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new GridError(
      'unauthenticated',
      code === 'ENOENT'
        ? `There is no operator token at ${path}`
        : `Cannot read the operator token ${path}: ${(error as Error).message}`,
      {
        hint:
          code === 'ENOENT'
            ? 'The server writes it when it starts. If its data is elsewhere, set TEAMGRID_DATA.'
            : 'Run this as the user who runs the server.',
        cause: error,
      },
    )
  }
  const url = await addressOf(io, folder)
  const own: Io = {
    ...io,
    // The operator acts for nobody.
    env: {},
    fetch: async (request, init) => {
      try {
        return await io.fetch(request, init)
      } catch (error) {
        if (io.interrupted.aborted) throw error
        throw new GridError('unavailable', `The server at ${url} is not running`, {
          hint: 'Start it with: teamgrid start. If it is elsewhere, set TEAMGRID_URL.',
          cause: error,
        })
      }
    },
  }
  return { client: clientOf(own, url, token), ask: askOf(own, url, token) }
}

/** What is configured, else what the running server wrote beside its lock, else the default. */
async function addressOf(io: Io, folder: string): Promise<string> {
  if (io.env['TEAMGRID_URL']) return normalizeUrl(io.env['TEAMGRID_URL'])
  if (io.env['TEAMGRID_PORT']) return `http://localhost:${io.env['TEAMGRID_PORT']}`
  try {
    const holder = JSON.parse(await readFile(join(folder, 'server.lock'), 'utf8')) as { address?: unknown }
    if (typeof holder.address === 'string') return normalizeUrl(holder.address)
  } catch {
    // No server has announced itself here.
  }
  return 'http://localhost:8080'
}
