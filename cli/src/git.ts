import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import type { Io } from './io.ts'

/**
 * Where a repository may be fetched from. A remote is what somebody's script logged: `ext::` and options in disguise
 * would run programs here.
 */
export function isPlainRemote(remote: string): boolean {
  return /^(?:(?:https?|ssh|git|file):\/\/|[\w.-]+@[\w.-]+:|\/)[^\s]+$/.test(remote) && !remote.includes('::')
}

export const commitPattern = /^[0-9a-f]{7,64}$/

/** Runs git without a shell, without questions and without anything that a repository could make it run. */
export async function git(
  io: Io,
  folder: string,
  args: readonly string[],
): Promise<{ code: number; output: string }> {
  const safe = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'protocol.ext.allow=never']
  const child = spawn('git', [...safe.flatMap((setting) => ['-c', setting]), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: io.interrupted,
    env: {
      ...io.env,
      GIT_TERMINAL_PROMPT: '0',
      GIT_LFS_SKIP_SMUDGE: '1',
      // A repository around the folder is not ours to touch.
      GIT_CEILING_DIRECTORIES: dirname(folder),
    },
  })
  let output = ''
  const gather = (text: string) => (output = (output + text).slice(-4000))
  child.stdout.setEncoding('utf8').on('data', gather)
  child.stderr.setEncoding('utf8').on('data', gather)
  return await new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 127, output: error.message }))
    child.once('close', (code) => resolve({ code: code ?? 1, output: output.trim() }))
  })
}
