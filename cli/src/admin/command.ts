import type { Command } from 'commander'
import { type GridClient, GridError } from '@teamgrid/api'
import { type Context, createContext } from '../context.ts'
import type { Io } from '../io.ts'
import type { Ask } from '../connection.ts'
import { operatorConnection } from './operator.ts'

export type AdminContext = Context & { client: GridClient; ask: Ask }

/**
 * One operator command. Its fields may be given in order or by name (`member add vision bob`, or
 * `member add --team vision --username bob`), because people type the one and scripts read better with the other.
 *
 * @param fields names of the required values, in order; `role?` is optional.
 */
export function adminCommand<Options extends Record<string, unknown>>(
  parent: Command,
  io: Io,
  shape: {
    name: string
    description: string
    fields: readonly string[]
    options?: readonly [flags: string, description: string, parse?: (text: string) => unknown][]
    run: (context: AdminContext, fields: Record<string, string>, options: Options) => Promise<void>
  },
): void {
  const command = parent.command(shape.name).description(shape.description)
  const names = shape.fields.map((field) => field.replace('?', ''))
  for (const field of shape.fields) {
    const name = field.replace('?', '')
    command.argument(`[${name}]`)
    command.option(`--${name} <${name}>`, field.endsWith('?') ? '' : 'instead of the argument')
  }
  for (const [flags, description, parse] of shape.options ?? []) {
    if (parse) command.option(flags, description, parse)
    else command.option(flags, description)
  }
  command.action(async (...given: unknown[]) => {
    const options = command.opts<Options & Record<string, string>>()
    const global = command.optsWithGlobals<{ json?: boolean; output?: string; debug?: boolean }>()
    const fields = fieldsOf(shape.fields, given.slice(0, names.length) as (string | undefined)[], (name) =>
      optionValue(options, name),
    )
    const json = Boolean(global.json) || global.output === 'json'
    const context = createContext(io, { json, debug: Boolean(global.debug) })
    await shape.run({ ...context, ...(await operatorConnection(io)) }, fields, options)
  })
}

function optionValue(options: Record<string, unknown>, name: string): string | undefined {
  const value = options[name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())]
  return typeof value === 'string' ? value : undefined
}

/**
 * Values given by name first; what was given in order fills the others.
 *
 * @throws GridError invalid, naming what is missing or too much.
 */
export function fieldsOf(
  fields: readonly string[],
  inOrder: readonly (string | undefined)[],
  byName: (name: string) => string | undefined,
): Record<string, string> {
  const rest = inOrder.filter((value) => value !== undefined)
  const values: Record<string, string> = {}
  for (const field of fields) {
    const name = field.replace('?', '')
    const value = byName(name) ?? rest.shift()
    if (value !== undefined) values[name] = value
    else if (!field.endsWith('?')) {
      throw new GridError('invalid', `The ${name} is missing`, {
        hint: `Give it as an argument or with --${name}.`,
      })
    }
  }
  if (rest.length > 0) throw new GridError('invalid', `"${rest[0]}" is one value too many`)
  return values
}

/** A password from `--password` or, so that it does not show in the list of processes, from standard input. */
export async function passwordOf(
  io: Io,
  options: { password?: string; passwordStdin?: boolean },
): Promise<string | undefined> {
  if (!options.passwordStdin) return options.password
  if (options.password !== undefined) {
    throw new GridError('invalid', 'Give --password or --password-stdin, not both')
  }
  const password = (await io.stdin.readAll()).replace(/\r?\n$/, '')
  if (password === '') throw new GridError('invalid', 'There was no password on standard input')
  return password
}
