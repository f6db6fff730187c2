import type { Io } from '../io.ts'
import { createProgram, runProgram } from '../program.ts'
import { addOrganisationCommands } from './organisation.ts'
import { addAuditCommands } from './audit.ts'
import { addImportCommand } from './import.ts'
import { addSsoCommands } from './sso.ts'
import { addKeyCommands, addUserCommands } from './people.ts'
import { addInviteCommands, addMemberCommands, addServiceAccountCommands, addTeamCommands } from './teams.ts'

/**
 * The command `teamgrid admin`: people, teams and keys without a browser, thin over the REST endpoints.
 *
 * @param argv what follows `teamgrid admin`, or all of it.
 * @returns the exit code.
 */
export async function runAdmin(io: Io, argv: readonly string[]): Promise<number> {
  const today = argv[0] === 'admin' ? argv.slice(1) : argv
  const program = createProgram(
    io,
    'teamgrid admin',
    'People, teams and keys, from the machine of the server.',
  )
  program.option('--json', 'the same as -o json')
  addUserCommands(program, io)
  addTeamCommands(program, io)
  addMemberCommands(program, io)
  addKeyCommands(program, io)
  addInviteCommands(program, io)
  addServiceAccountCommands(program, io)
  addOrganisationCommands(program, io)
  addSsoCommands(program, io)
  addAuditCommands(program, io)
  addImportCommand(program, io)
  return runProgram(io, program, today)
}
