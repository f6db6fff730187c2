import { execFile } from 'node:child_process'
import type { Command } from 'commander'
import { clientOf, serverUrl } from '../connection.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { resolve, webAddress } from '../resolve.ts'
import { version } from '../version.ts'

const banner = String.raw`
   ____      _     _
  / ___|_ __(_) __| |
 | |  _| '__| |/ _' |
 | |_| | |  | | (_| |
  \____|_|  |_|\__,_|
`

export function addAbout(program: Command, io: Io): void {
  program
    .command('version')
    .description('Version of this program and of the server.')
    .action(handle(io, showVersion))
  program
    .command('docs')
    .description('Open the documentation.')
    .action(handle(io, async (context) => openPage(context, `${await serverUrl(io)}/docs`)))
  program
    .command('view')
    .argument('<ref>', '[user:]run or [user:]experiment')
    .description('Open an experiment in the web app.')
    .action(handle(io, view))
}

async function showVersion(context: Context): Promise<void> {
  const url = await serverUrl(context.io)
  const server = await clientOf(context.io, url, null)
    .instance.about()
    .then((about) => about.version)
    .catch(() => null)
  if (context.json) {
    context.printJson({ version, server_version: server, server_url: url, docs: `${url}/docs` })
    return
  }
  context.say(banner.slice(1))
  context.say(`Grid CLI (v${version})`)
  context.say(`Server   ${server === null ? `${url} does not answer` : `${url} (v${server})`}`)
  context.say(`Docs     ${url}/docs`)
}

async function view(context: Context, ref: string): Promise<void> {
  const { url } = await context.connection()
  const { experiments } = await resolve(context, ref)
  await openPage(context, webAddress(url, experiments[0]!))
}

/** Prints the address, and opens it where there is a screen and a person. */
async function openPage(context: Context, url: string): Promise<void> {
  if (context.json) context.printJson({ url })
  else context.say(url)
  const { env, stdout } = context.io
  const hasScreen = process.platform !== 'linux' || Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY'])
  if (context.json || !stdout.isTTY || !hasScreen || env['SSH_CONNECTION']) return
  const [program, ...given] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler']
        : ['xdg-open']
  // Without a browser the printed address has to do.
  await new Promise<void>((done) => execFile(program!, [...given, url], () => done()))
}
