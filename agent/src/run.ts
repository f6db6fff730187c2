/** Programs that `prepare` needs, and what it says when one of them fails. */
import { spawn } from 'node:child_process'

/** Preparing went wrong in a way that people can understand. */
export class CannotPrepare extends Error {}

/** @returns what it wrote, to both streams in the order of writing. */
export function run(
  [program, ...args]: string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 128, output: Buffer.concat(chunks).toString() }))
  })
}
