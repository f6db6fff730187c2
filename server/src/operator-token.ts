import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newToken } from './lib/secrets.ts'

/**
 * The secret that proves the operator: whoever can read the data directory may do everything anyway. Kept over
 * restarts, so that scripts of the operator go on working.
 */
export async function ensureOperatorToken(dataDir: string): Promise<string> {
  const path = join(dataDir, 'operator-token')
  const existing = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (existing.trim().length >= 32) {
    await chmod(path, 0o600)
    return existing.trim()
  }
  const token = newToken()
  await writeFile(path, `${token}\n`, { mode: 0o600 })
  return token
}
