import { CommanderError } from 'commander'
import { GridError } from '@teamgrid/api'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { shown } from './text.ts'

/**
 * Prints what went wrong, once, and says with which code the process ends: the only place where our errors become the
 * dialect of a shell.
 */
export function reportFailure(io: Io, error: unknown, options: { json: boolean; debug: boolean }): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok
    const message = error.message.replace(/^error: /, '')
    const [sentence, ...rest] = message.split('\n')
    if (error.code === 'commander.help') return exitCodes.usage
    print(io, options.json, {
      code: 'invalid',
      message: sentence!,
      hint: rest.join(' ') || 'See --help for what this command takes.',
    })
    return exitCodes.usage
  }
  if (error instanceof GridError) {
    const { hint, policy, owner, admins } = error.details
    print(io, options.json, { code: error.code, message: error.message, hint, policy, owner, admins })
    if (options.debug) io.stderr.write(`${error.stack}\n`)
    return exitCodeOf(error)
  }
  if (error instanceof Error && error.name === 'AbortError') {
    if (options.json) print(io, true, { code: 'interrupted', message: 'Interrupted' })
    else io.stderr.write('\n')
    return exitCodes.interrupted
  }
  const message = error instanceof Error ? error.message : String(error)
  print(io, options.json, {
    code: 'internal',
    message,
    hint: 'This is a bug in grid, or an answer it cannot read; --debug shows where.',
  })
  if (options.debug && error instanceof Error) io.stderr.write(`${error.stack}\n`)
  return exitCodes.failed
}

type Failure = {
  code: string
  message: string
  hint?: string | undefined
  policy?: string | undefined
  owner?: string | undefined
  admins?: string[] | undefined
}

function print(io: Io, json: boolean, failure: Failure): void {
  if (json) {
    io.stderr.write(`${JSON.stringify({ error: failure })}\n`)
    return
  }
  // A refusal by policy is a warning by its wording: nothing broke and nothing changed.
  const isRefusal = failure.code === 'policy_denied' || failure.message.startsWith('Warning: ')
  const sentence = shown(failure.message).replace(/^(?:Warning|Error): /, '')
  io.stderr.write(`${isRefusal ? 'Warning' : 'Error'}: ${sentence}\n`)
  if (failure.hint) io.stderr.write(`${shown(failure.hint)}\n`)
}
