import { hostname } from 'node:os'
import { join, resolve as resolvePath } from 'node:path'
import { type Command, Option } from 'commander'
import {
  type Datastore,
  type DatastoreEntry,
  type DatastoreImport,
  DatastoreName,
  datastoreNameOf,
  type DatastoreUpload,
  type DatastoreVersion,
  type DatastoreVisibility,
  GridError,
} from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import { followImport, isAddress, startImport } from '../datastores/import.ts'
import { fetchTree } from '../datastores/fetch.ts'
import { clearHashCache, openHashCache } from '../datastores/hashes.ts'
import { type Hashed, hashTree, sendTree } from '../datastores/send.ts'
import { type LocalEntry, readTree, shortPlace } from '../datastores/tree.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import type { Column } from '../table.ts'
import { shown } from '../text.ts'
import { bytes, minute } from '../time.ts'

type Row = { datastore: Datastore; version: DatastoreVersion }
type ListOptions = {
  global?: boolean
  team?: string
  user?: string
  showIncomplete?: boolean
  deleted?: boolean
}
type CreateOptions = {
  name?: string
  team?: string
  owner?: string
  visibility?: DatastoreVisibility
  followSymlinks?: boolean
  source?: string
  yes?: boolean
  endpoint?: string
  region?: string
  copy?: boolean
}
type DeleteOptions = {
  name?: string
  version_number?: number
  allVersions?: boolean
  yes?: boolean
  team?: string
}
type TeamOption = { team?: string }

const refHelp = '[user:]name[:version]'
const pageMax = 500

export function addDatastore(program: Command, io: Io): void {
  const datastore = program
    .command('datastore')
    .description('Versioned data of your team: uploaded once, used everywhere.')
    .option('--global', 'of everybody in my teams')
    .option('--team <team>', 'only of this team')
    .option('--user <username>', "only this person's")
    .option('--show-incomplete', 'uploads that can be continued')
    .option('--deleted', 'also what is in the trash')
    .action(handle(io, list))
  datastore
    .command('list', { hidden: true })
    .action(handle(io, (context, _options: object) => list(context, {})))
  datastore
    .command('create')
    .argument('[source]', 'a folder, a file, https://… (archives are unpacked), or s3://bucket/prefix')
    .option('--name <name>', 'how to call it; else from the source')
    .option('--team <team>', 'where it belongs; else your default team')
    .option('--owner <username>', "add a version to this person's datastore")
    .addOption(
      new Option('--visibility <who>', 'who may see a new one').choices(['private', 'team', 'organisation']),
    )
    .option('--follow-symlinks', 'take what links lead to instead of the links')
    .option('--endpoint <url>', 'of an S3 store that is not Amazon’s')
    .option('--region <region>', 'of an S3 store')
    .addOption(new Option('--no-copy').hideHelp())
    .option('-y, --yes', 'continue an interrupted upload without asking')
    .addOption(new Option('--source <source>').hideHelp())
    .summary('upload a new datastore, or a new version of one')
    .action(handle(io, create))
  datastore
    .command('resume')
    .argument('[name]', 'which upload; needed when there are several')
    .option('--source <folder>', 'where the data is now, when it is on another machine or was moved')
    .option('--follow-symlinks', 'take what links lead to instead of the links')
    .summary('continue an interrupted upload')
    .action(handle(io, resume))
  datastore
    .command('ls')
    .argument('<ref>', refHelp)
    .argument('[folder]', 'inside of it', '')
    .option('--team <team>', 'look in this team')
    .summary('what is in a version')
    .action(handle(io, ls))
  datastore
    .command('download')
    .argument('<ref>', refHelp)
    .argument('[folder]', 'where to put it; else ./<name>')
    .option('--team <team>', 'look in this team')
    .summary('rebuild a version in a folder')
    .action(handle(io, download))
  datastore
    .command('diff')
    .argument('<ref>', refHelp)
    .argument('<since>', 'an earlier version', positiveInteger)
    .option('--team <team>', 'look in this team')
    .summary('which files changed since another version')
    .action(handle(io, diff))
  datastore
    .command('share')
    .argument('<ref>', '[user:]name')
    .argument('<who>', 'private, team or organisation')
    .option('--team <team>', 'look in this team')
    .summary('say who may see a datastore')
    .action(handle(io, share))
  datastore
    .command('delete')
    .argument('[ref]', refHelp)
    .option('--name <name>')
    .option('--version_number <number>', 'which version; --version is the same', positiveInteger)
    .option('--all-versions', 'every version of it')
    .option('--team <team>', 'look in this team')
    .option('-y, --yes', 'do not ask')
    .summary('put a version into the trash for a week')
    .action(handle(io, remove))
  datastore
    .command('restore')
    .argument('<ref>', '[user:]name:version')
    .option('--team <team>', 'look in this team')
    .summary('take a version out of the trash')
    .action(handle(io, restore))
  datastore
    .command('clearcache')
    .summary('forget interrupted uploads and what is known of local files')
    .action(handle(io, clearCache))
}

async function list(context: Context, options: ListOptions): Promise<void> {
  if (options.showIncomplete) return listIncomplete(context)
  const { user } = await context.me()
  const isOwn = !options.global && !options.team && !options.user
  const owner = isOwn ? user.username : options.user
  const rows = (await all(context, { owner, team: options.team })).flatMap((datastore) =>
    datastore.versions
      .filter((version) => options.deleted || version.status !== 'deleted')
      .map((version) => ({ datastore, version })),
  )
  context.printRows({
    columns: isOwn ? ownColumns : columns,
    rows,
    json: rowJson,
    empty: 'None. Make one: grid datastore create FOLDER',
  })
}

async function all(
  context: Context,
  where: { owner?: string | undefined; team?: string | undefined },
): Promise<Datastore[]> {
  const { client } = await context.connection()
  const found: Datastore[] = []
  let cursor: string | undefined
  do {
    const page = await client.datastores.list({ ...where, cursor, limit: pageMax })
    found.push(...page.items)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return found
}

const nameColumn: Column<Row> = { title: 'Name', cell: ({ datastore }) => datastore.name }
/** Data is not bound to a cluster here; the column stays for scripts that count them. */
const placeColumns: Column<Row>[] = [
  { title: 'Cluster ID', cell: () => '-' },
  { title: 'Version', cell: ({ version }) => version.number },
  { title: 'Size', cell: ({ version }) => bytes(version.sizeBytes) },
  { title: 'Created At', cell: ({ version }) => minute(version.createdAt) },
]
const statusColumn: Column<Row> = {
  title: 'Status',
  cell: ({ version: { status, damagedFiles } }) =>
    damagedFiles === 0 ? status : `${status}, ${count(damagedFiles, 'file')} damaged`,
}
const ownColumns = [nameColumn, ...placeColumns, statusColumn]
const columns: Column<Row>[] = [
  nameColumn,
  ...placeColumns,
  { title: 'Created By', cell: ({ version }) => version.createdBy.username },
  { title: 'Team Name', cell: ({ datastore }) => datastore.team },
  statusColumn,
]

function rowJson({ datastore, version }: Row): Record<string, unknown> {
  return {
    name: datastore.name,
    cluster_id: null,
    version: version.number,
    size: version.sizeBytes,
    files: version.files,
    created_at: version.createdAt,
    created_by: version.createdBy.username,
    team_name: datastore.team,
    status: version.status,
    damaged_files: version.damagedFiles,
    owner: datastore.owner.username,
    visibility: datastore.visibility,
    source: version.source,
    digest: version.digest,
    datastore_id: datastore.id,
    restorable_until: version.restorableUntil,
  }
}

async function listIncomplete(context: Context): Promise<void> {
  const { client } = await context.connection()
  context.printRows<DatastoreUpload>({
    columns: [
      { title: 'Name', cell: (upload) => upload.name },
      { title: 'Cluster ID', cell: () => '-' },
      { title: 'Started At', cell: (upload) => minute(upload.createdAt) },
      { title: 'Arrived', cell: (upload) => bytes(upload.arrivedBytes) },
      { title: 'Source Path', cell: (upload) => upload.source },
      {
        title: 'By',
        cell: (upload) => (upload.importing === null ? 'you' : `the server: ${upload.importing}`),
      },
    ],
    rows: await client.datastores.uploads({}),
    json: (upload) => ({
      name: upload.name,
      cluster_id: null,
      started_at: upload.createdAt,
      source_path: upload.source,
      importing: upload.importing,
      arrived: upload.arrivedBytes,
      expires_at: upload.expiresAt,
      team: upload.team,
      upload_id: upload.id,
    }),
    empty: 'None.',
  })
}

async function create(context: Context, argument: string | undefined, options: CreateOptions): Promise<void> {
  const { io } = context
  const source = argument ?? options.source
  if (source === undefined) {
    throw new GridError('invalid', 'Say what to upload', { hint: 'grid datastore create FOLDER --name NAME' })
  }
  if (options.source !== undefined) context.warn('--source is deprecated, name the source by itself')
  if (isAddress(source)) return createFromAddress(context, source, options)
  if (options.copy === false) throw new GridError('invalid', '--no-copy is for s3:// sources')
  const root = resolvePath(io.cwd, source)
  const name = nameFor(options.name, root)
  const team = options.team ?? (io.env['GRID_ENTITY'] || (await context.me()).defaultTeam)
  const { client } = await context.connection()
  // Before anything is begun on the server: what cannot be read leaves nothing behind.
  const local = await readLocal(context, root, options.followSymlinks === true)
  const open = (await client.datastores.uploads({})).find(
    (upload) => upload.name === name && upload.team === team,
  )
  const upload =
    open && (await wantsToContinue(context, open, options.yes === true))
      ? open
      : await client.datastores.startUpload({
          team,
          name,
          source: `${hostname()}:${root}`,
          ...(options.owner === undefined ? {} : { owner: options.owner }),
          ...(options.visibility === undefined ? {} : { visibility: options.visibility }),
        })
  await send(context, upload, local)
}

/** The server fetches it, also when nobody watches. */
async function createFromAddress(context: Context, source: string, options: CreateOptions): Promise<void> {
  if (options.copy === false) {
    throw new GridError('invalid', 'This server keeps the bytes of its datastores itself', {
      hint: 'Leave --no-copy away: what it has already is not stored twice.',
    })
  }
  const begun = await startImport(context, source, {
    ...options,
    name: nameFor(options.name, source),
    team: options.team ?? (context.io.env['GRID_ENTITY'] || (await context.me()).defaultTeam),
  })
  await showImported(context, await followImport(context, begun))
}

async function showImported(context: Context, done: DatastoreImport): Promise<void> {
  const { client } = await context.connection()
  const datastore = await client.datastores.get({ datastoreId: done.datastoreId! })
  const version = datastore.versions.find((each) => each.number === done.version)!
  context.done(`${count(version.files, 'file')} (${bytes(version.sizeBytes)}) taken from ${done.source}`)
  context.printRows({ columns: ownColumns, rows: [{ datastore, version }], json: rowJson })
  context.say(
    `Use it as ${datastore.owner.username}:${datastore.name}:${version.number}. All of yours: grid datastore`,
  )
}

function nameFor(given: string | undefined, root: string): string {
  const name = given ?? datastoreNameOf(root)
  const checked = DatastoreName.safeParse(name)
  if (checked.success) return name
  throw new GridError(
    'invalid',
    given === undefined ? `No name can be made of ${root}` : checked.error.issues[0]!.message,
    { hint: 'Say how to call it: --name my-data' },
  )
}

async function wantsToContinue(context: Context, open: DatastoreUpload, yes: boolean): Promise<boolean> {
  if (yes || !context.io.stdin.isTTY) return true
  const answer = await context.io.stdin.ask(
    `An upload of ${open.name} was interrupted with ${bytes(open.arrivedBytes)} there. Continue it? [Y/n] `,
  )
  if (/^n/i.test(answer.trim())) {
    const { client } = await context.connection()
    await client.datastores.discardUpload({ uploadId: open.id })
    return false
  }
  return true
}

async function resume(
  context: Context,
  name: string | undefined,
  options: { source?: string; followSymlinks?: boolean },
): Promise<void> {
  const { client } = await context.connection()
  const open = (await client.datastores.uploads({})).filter(
    (each) => name === undefined || each.name === name,
  )
  const [upload, another] = open
  if (!upload) {
    throw new GridError('not_found', name === undefined ? 'No upload waits' : `No upload of ${name} waits`, {
      hint: 'See them: grid datastore --show-incomplete',
    })
  }
  if (another) {
    throw new GridError('invalid', `${open.length} uploads wait`, {
      hint: `Say which one:\n${open.map((each) => `  grid datastore resume ${each.name}`).join('\n')}`,
    })
  }
  if (upload.importing !== null) {
    const begun = await client.datastores.retryImport({ importId: upload.id })
    return showImported(context, await followImport(context, begun))
  }
  const here = `${hostname()}:`
  const root =
    options.source ?? (upload.source.startsWith(here) ? upload.source.slice(here.length) : undefined)
  if (root === undefined) {
    throw new GridError('invalid', `This upload began from ${upload.source}`, {
      hint: 'Say where the same data is on this machine: --source FOLDER',
    })
  }
  const local = await readLocal(context, resolvePath(context.io.cwd, root), options.followSymlinks === true)
  await send(context, upload, local)
}

type Local = { entries: LocalEntry[]; hashed: Hashed[] }

async function readLocal({ io }: Context, root: string, followLinks: boolean): Promise<Local> {
  const entries = await readTree(root, { followLinks })
  return { entries, hashed: await hashTree(io, entries, await openHashCache(io, root)) }
}

async function send(context: Context, upload: DatastoreUpload, { entries, hashed }: Local): Promise<void> {
  const { io } = context
  const connection = await context.connection()
  const total = hashed.reduce((sum, { file }) => sum + file.sizeBytes, 0)
  const sent = await sendTree(io, connection, upload.id, entries, hashed).catch((error: unknown) => {
    if (io.interrupted.aborted)
      io.stderr.write(`Interrupted. Continue with: grid datastore resume ${upload.name}\n`)
    throw error
  })
  const datastore = await connection.client.datastores.get({ datastoreId: sent.datastoreId })
  const version = datastore.versions.find((each) => each.number === sent.version)!
  context.done(
    sent.isNew
      ? `${count(sent.sentFiles, 'file')} (${bytes(sent.sentBytes)}) sent of ${hashed.length} (${bytes(total)})`
      : `Nothing changed: this is version ${sent.version}`,
  )
  context.printRows({
    columns: ownColumns,
    rows: [{ datastore, version }],
    json: (row) => ({ ...rowJson(row), sent_files: sent.sentFiles, sent_bytes: sent.sentBytes }),
  })
  context.say(
    `Use it as ${datastore.owner.username}:${datastore.name}:${version.number}. All of yours: grid datastore`,
  )
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`

async function found(context: Context, ref: string, team: string | undefined): Promise<Row> {
  const { client } = await context.connection()
  return client.datastores.resolve({ ref, team })
}

async function ls(context: Context, ref: string, folder: string, options: TeamOption): Promise<void> {
  const { datastore, version } = await found(context, ref, options.team)
  const { client } = await context.connection()
  const entries: DatastoreEntry[] = []
  let cursor: string | undefined
  do {
    const page = await client.datastores.files({
      datastoreId: datastore.id,
      version: version.number,
      folder: folder.replace(/^\/+|\/+$/g, ''),
      cursor,
      limit: pageMax,
    })
    entries.push(...page.items)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  context.printRows<DatastoreEntry>({
    columns: [
      { title: 'Name', cell: printedName },
      { title: 'Size', cell: (entry) => (entry.kind === 'link' ? '-' : bytes(entry.sizeBytes)) },
      { title: 'Files', cell: (entry) => (entry.kind === 'folder' ? entry.files : '') },
      { title: 'SHA-256', cell: (entry) => entry.sha256Hex?.slice(0, 12) ?? '' },
    ],
    rows: entries,
    json: (entry) => ({
      name: entry.name,
      kind: entry.kind,
      size: entry.sizeBytes,
      files: entry.files,
      sha256: entry.sha256Hex,
      executable: entry.executable,
      link_target: entry.linkTarget,
    }),
    empty: 'Nothing here.',
  })
}

function printedName(entry: DatastoreEntry): string {
  if (entry.kind === 'folder') return `${entry.name}/`
  return entry.kind === 'link' ? `${entry.name} -> ${entry.linkTarget}` : entry.name
}

async function download(
  context: Context,
  ref: string,
  folder: string | undefined,
  options: TeamOption,
): Promise<void> {
  const { datastore, version } = await found(context, ref, options.team)
  const into =
    folder === undefined ? join(context.io.cwd, datastore.name) : resolvePath(context.io.cwd, folder)
  const fetched = await fetchTree(context.io, await context.connection(), datastore, version.number, into)
  if (context.json) context.printJson({ ...rowJson({ datastore, version }), ...fetched })
  else {
    context.say(
      `Downloaded ${count(fetched.files, 'file')} (${bytes(fetched.bytes)}) to ${shortPlace(into, context.io.cwd)}, kept ${count(fetched.unchanged, 'unchanged one')}.`,
    )
  }
}

async function diff(context: Context, ref: string, since: number, options: TeamOption): Promise<void> {
  const { datastore, version } = await found(context, ref, options.team)
  const { client } = await context.connection()
  const difference = await client.datastores.difference({
    datastoreId: datastore.id,
    version: version.number,
    since,
  })
  if (context.json) return context.printJson(difference)
  const marks = { added: '+', removed: '-', changed: '~' }
  for (const { path, how } of difference.entries) context.say(`${marks[how]} ${shown(path)}`)
  const { added, removed, changed, same } = difference
  const more = added + removed + changed - difference.entries.length
  if (more > 0) context.say(`… and ${more} more`)
  context.say(`${added} added, ${removed} removed, ${changed} changed, ${same} the same`)
}

async function share(context: Context, ref: string, who: string, options: TeamOption): Promise<void> {
  const visibility = (['private', 'team', 'organisation'] as const).find((each) => each === who)
  if (!visibility) {
    throw new GridError('invalid', `"${who}" is nobody to share with`, {
      hint: 'Say private, team or organisation.',
    })
  }
  const { datastore } = await found(context, ref, options.team)
  const { client } = await context.connection()
  const changed = await client.datastores.change({ datastoreId: datastore.id, visibility })
  const seenBy = {
    private: 'you and the admins',
    team: `team ${changed.team}`,
    organisation: 'everybody here',
  }
  context.done(`${changed.name} is seen by ${seenBy[visibility]}`)
  if (context.json) context.printJson({ datastore_id: changed.id, name: changed.name, visibility })
}

async function remove(context: Context, ref: string | undefined, options: DeleteOptions): Promise<void> {
  const named = ref ?? options.name
  if (named === undefined) {
    throw new GridError('invalid', 'Say which datastore', { hint: 'grid datastore delete NAME:VERSION' })
  }
  const wanted = options.version_number === undefined ? named : `${named}:${options.version_number}`
  const isOneVersion = options.version_number !== undefined || /(?::|\/)\d+$/.test(named)
  if (!isOneVersion && !options.allVersions) {
    throw new GridError('invalid', 'Say which version, or --all-versions', {
      hint: `grid datastore delete ${named}:1`,
    })
  }
  const { datastore, version } = await found(context, wanted, options.team)
  const versions = options.allVersions
    ? datastore.versions.filter((each) => each.status === 'succeeded')
    : [version]
  const { client } = await context.connection()
  if (!options.yes && !(await confirmed(context, datastore, versions))) {
    context.done('Nothing was deleted')
    return
  }
  for (const { number } of versions)
    await client.datastores.delete({ datastoreId: datastore.id, version: number })
  context.done(
    `Done! Within 7 days: grid datastore restore ${datastore.owner.username}:${datastore.name}:${versions[0]!.number}`,
  )
  if (context.json) context.printJson(versions.map((each) => rowJson({ datastore, version: each })))
}

async function confirmed(
  context: Context,
  datastore: Datastore,
  versions: DatastoreVersion[],
): Promise<boolean> {
  const { io } = context
  if (!io.stdin.isTTY) {
    throw new GridError('invalid', 'Deleting asks first, and nobody is at the terminal', {
      hint: 'Add --yes to delete without being asked.',
    })
  }
  const { client } = await context.connection()
  let frees = 0
  for (const { number } of versions)
    frees += (await client.datastores.deletion({ datastoreId: datastore.id, version: number })).freesBytes
  const which = versions.map((each) => each.number).join(', ')
  const { user } = await context.me()
  const whose = datastore.owner.username === user.username ? '' : ` of ${datastore.owner.username}`
  const answer = await io.stdin.ask(
    `WARNING! Version ${which} of ${datastore.name}${whose} goes into the trash and is gone after 7 days, which frees ${bytes(frees)}. Delete? [y/N] `,
  )
  return /^y/i.test(answer.trim())
}

async function restore(context: Context, ref: string, options: TeamOption): Promise<void> {
  const match = /^(.*?)[:/](\d+)$/.exec(ref)
  if (!match) throw new GridError('invalid', 'Say which version', { hint: `grid datastore restore ${ref}:1` })
  const [, named, number] = match as unknown as [string, string, string]
  const { user } = await context.me()
  // A deleted version is in no reference, so its datastore is searched by name.
  const colon = named.indexOf(':')
  const owner = colon < 0 ? user.username : named.slice(0, colon)
  const name = named.slice(colon + 1).replace(/^\/datastores\//, '')
  const datastore = (await all(context, { owner, team: options.team })).find((each) => each.name === name)
  if (!datastore) throw new GridError('not_found', `There is no datastore "${named}"`)
  const { client } = await context.connection()
  await client.datastores.restore({ datastoreId: datastore.id, version: Number(number) })
  context.done(`${name}:${number} is back`)
  if (context.json) context.printJson({ datastore_id: datastore.id, name, version: Number(number) })
}

async function clearCache(context: Context): Promise<void> {
  const { client } = await context.connection()
  for (const { id } of await client.datastores.uploads({}))
    await client.datastores.discardUpload({ uploadId: id })
  await clearHashCache(context.io)
  context.done('Datastore cache cleared')
}
