/**
 * The agent: what stands beside an experiment on the machine that runs it.
 *
 *   prepare DIR   fetches secrets, code, data and environment, then becomes the experiment (called by `grid-exec`)
 *   attend DIR    pushes what one attempt writes to the server, until its end is told
 *   serve ROOT    the same for every attempt below a folder; there is one per folder
 */
import { attend, serve } from './attend.ts'
import { prepare } from './prepare.ts'

const [command, folder] = process.argv.slice(2)
const commands: Record<string, (folder: string) => Promise<void>> = { prepare, attend, serve }
const work = commands[command ?? '']
if (work === undefined || folder === undefined) {
  process.stderr.write('Usage: agent prepare|attend|serve FOLDER\n')
  process.exit(2)
}
try {
  await work(folder)
} catch (error) {
  process.stderr.write(`agent: ${error instanceof Error ? error.message : String(error)}\n`)
  // As `env` does for what could not be started.
  process.exit(125)
}
