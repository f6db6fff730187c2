import { Command } from 'commander'
import { addAbout } from './commands/about.ts'
import { addAlerts } from './commands/alerts.ts'
import { addArchive } from './commands/archive.ts'
import { addArtifacts } from './commands/artifacts.ts'
import { addDelete } from './commands/delete.ts'
import { addDatastore } from './commands/datastore.ts'
import { addAudit } from './commands/audit.ts'
import { addHistory } from './commands/history.ts'
import { addLogin } from './commands/login.ts'
import { addLogs } from './commands/logs.ts'
import { addExport } from './commands/export.ts'
import { addMove } from './commands/move.ts'
import { addClone } from './commands/clone.ts'
import { addClusters } from './commands/clusters.ts'
import { addRun } from './commands/run.ts'
import { addReproduce } from './commands/reproduce.ts'
import { addStatus } from './commands/status.ts'
import { addStop } from './commands/stop.ts'
import { addSweep } from './commands/sweep.ts'
import { addTeam } from './commands/team.ts'
import { addUsage } from './commands/usage.ts'
import { addUser } from './commands/user.ts'
import { addWhy } from './commands/why.ts'
import { outputOption } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failures.ts'
import type { Io } from './io.ts'
import { rewriteOlderSpellings } from './older-spellings.ts'
import { version } from './version.ts'

/**
 * The command `grid`.
 *
 * @param argv what follows the program's name.
 * @returns the exit code; everything there is to say has been written to `io`.
 */
export async function runGrid(io: Io, argv: readonly string[]): Promise<number> {
  const { argv: today, warnings } = rewriteOlderSpellings(argv)
  for (const warning of warnings) io.stderr.write(`Warning: ${warning}\n`)
  const program = createProgram(io, 'grid', 'Watch and steer the experiments of your team.')
  addLogin(program, io)
  addUser(program, io)
  addUsage(program, io)
  addTeam(program, io)
  addRun(program, io)
  addStatus(program, io)
  addHistory(program, io)
  addAlerts(program, io)
  addLogs(program, io)
  addArtifacts(program, io)
  addReproduce(program, io)
  addDatastore(program, io)
  addMove(program, io)
  addClusters(program, io)
  addClone(program, io)
  addArchive(program, io)
  addExport(program, io)
  addStop(program, io)
  addSweep(program, io)
  addDelete(program, io)
  addWhy(program, io)
  addAudit(program, io)
  addAbout(program, io)
  return runProgram(io, program, today)
}

/** A commander program that writes to `io` and never ends the process by itself. */
export function createProgram(io: Io, name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .version(version, '-V, --version', 'print the version')
    .addOption(outputOption())
    .option('--debug', 'show where an error came from')
    .showHelpAfterError(false)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Errors are printed once, by `reportFailure`.
      outputError: () => {},
      getOutHelpWidth: () => (io.stdout.isTTY ? io.stdout.columns : 100),
      getErrHelpWidth: () => (io.stderr.isTTY ? io.stderr.columns : 100),
    })
}

export async function runProgram(io: Io, program: Command, argv: readonly string[]): Promise<number> {
  if (argv.length === 0) {
    program.outputHelp()
    return exitCodes.ok
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    return reportFailure(io, error, { json: wantsJson(argv), debug: argv.includes('--debug') })
  }
}

/** Errors of parsing itself are JSON too, so this is known before parsing. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (argument, index) =>
      argument === '--json' ||
      argument === '-ojson' ||
      argument === '--output=json' ||
      (argument === 'json' && (argv[index - 1] === '-o' || argv[index - 1] === '--output')),
  )
}
