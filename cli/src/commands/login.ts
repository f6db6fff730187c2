import type { Command } from 'commander'
import { GridError } from '@teamgrid/api'
import { clientOf, defaultUrl, normalizeUrl } from '../connection.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { readSettings, writeSettings } from '../settings.ts'

type LoginOptions = { url?: string; key?: string; username?: string; tokenStdin?: boolean }

export function addLogin(program: Command, io: Io): void {
  program
    .command('login')
    .summary('store the key for a server')
    .description(
      'Checks an API key and stores it in ~/.grid/settings.json. With --key or --token-stdin nothing is asked.',
    )
    .option('--url <url>', 'address of the server')
    .option('--key <key>', 'API key')
    .option('--username <username>', 'whose key it must be')
    .option('--token-stdin', 'read the key from standard input')
    .action(handle(io, login))
  program.command('logout').description('Forget the stored key.').action(handle(io, logout))
}

async function login(context: Context, options: LoginOptions): Promise<void> {
  const { io } = context
  const settings = await readSettings(io)
  const url = normalizeUrl(
    options.url || io.env['GRID_URL'] || io.env['WANDB_BASE_URL'] || settings.url || defaultUrl,
  )
  const key = (await findKey(context, options, url)).trim()
  if (!/^[\x21-\x7e]+$/.test(key)) throw new GridError('invalid', 'That is not an API key')
  const me = await clientOf(io, url, key).me.get()
  if (options.username && ![me.user.username, me.user.email].includes(options.username)) {
    throw new GridError(
      'unauthenticated',
      `This key belongs to ${me.user.username}, not to ${options.username}`,
    )
  }
  await writeSettings(io, { ...settings, url, key, username: me.user.username })
  context.done(`Logged in to ${url} as ${me.user.username}`)
  if (context.json) context.printJson({ url, username: me.user.username, user_id: me.user.id })
}

async function findKey({ io }: Context, options: LoginOptions, url: string): Promise<string> {
  if (options.key !== undefined && options.tokenStdin) {
    throw new GridError('invalid', 'Give --key or --token-stdin, not both')
  }
  if (options.key !== undefined) return options.key
  if (options.tokenStdin) return io.stdin.readAll()
  if (io.env['GRID_API_KEY']) return io.env['GRID_API_KEY']
  const page = `${url}/authorize`
  if (!io.stdin.isTTY) {
    throw new GridError('invalid', 'There is no terminal to ask for a key', {
      hint: `Make a key at ${page} and run: grid login --url ${url} --key KEY`,
    })
  }
  io.stderr.write(`Your API key is at ${page}\n(view-only accounts have none; they use the web app)\n`)
  return io.stdin.ask('API key: ', { secret: true })
}

async function logout(context: Context): Promise<void> {
  const { key, username: _, ...rest } = await readSettings(context.io)
  if (key !== undefined) await writeSettings(context.io, rest)
  context.done(key === undefined ? 'You were not logged in' : 'Logged out')
  if (context.json) context.printJson({ logged_out: key !== undefined })
}
