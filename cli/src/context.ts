import { type Command, Option } from 'commander'
import type { Me } from '@teamgrid/api'
import { connect, type Connection } from './connection.ts'
import { type Io, wantsColor } from './io.ts'
import { type Column, table } from './table.ts'

/** What every command gets: where it runs, how to reach the server, and how to show what it found. */
export type Context = {
  io: Io
  /** `-o json`: what is printed is one JSON value. */
  json: boolean
  debug: boolean
  /** Connects once; throws `unauthenticated` without a key. */
  connection: () => Promise<Connection>
  me: () => Promise<Me>
  /** A list: the table for people, or `json(row)` for each row for programs. */
  printRows: <Row>(options: {
    columns: readonly Column<Row>[]
    rows: readonly Row[]
    json: (row: Row) => Record<string, unknown>
    empty?: string
  }) => void
  /** A line for people; nothing with `-o json`. */
  say: (line: string) => void
  /** `✔ line` on stderr, for people. */
  done: (line: string) => void
  warn: (line: string) => void
  printJson: (value: unknown) => void
  tableStyle: () => { boxes: boolean; color: boolean; columns: number }
}

export function createContext(io: Io, options: { json: boolean; debug: boolean }): Context {
  let connection: Promise<Connection> | undefined
  let me: Promise<Me> | undefined
  const { json, debug } = options
  const context: Context = {
    io,
    json,
    debug,
    connection: () => (connection ??= connect(io)),
    me: () => (me ??= context.connection().then(({ client }) => client.me.get())),
    printRows: ({ columns, rows, json: toJson, empty }) => {
      if (json) context.printJson(rows.map(toJson))
      else io.stdout.write(table(columns, rows, context.tableStyle(), empty))
    },
    say: (line) => {
      if (!json) io.stdout.write(`${line}\n`)
    },
    done: (line) => {
      if (json) return
      const mark = wantsColor(io, io.stderr) ? '\u001b[32m✔\u001b[0m' : '✔'
      io.stderr.write(`${mark} ${line}\n`)
    },
    warn: (line) => io.stderr.write(`Warning: ${line}\n`),
    printJson: (value) => io.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    tableStyle: () => ({
      boxes: io.stdout.isTTY,
      color: wantsColor(io, io.stdout),
      columns: io.stdout.columns,
    }),
  }
  return context
}

/** `-o` of every command. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print').choices(['console', 'json']).default('console')
}

/** Turns `(context, …arguments, options)` into what commander calls. */
export function handle<Arguments extends unknown[]>(
  io: Io,
  handler: (context: Context, ...rest: Arguments) => Promise<void>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command
    const global = command.optsWithGlobals<{ output?: string; debug?: boolean }>()
    const context = createContext(io, { json: global.output === 'json', debug: Boolean(global.debug) })
    await handler(context, ...(given.slice(0, -1) as Arguments))
  }
}
