import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { Command } from 'commander'
import { GridError } from '@teamgrid/api'
import { unpack } from '../archive.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { bytes } from '../time.ts'

type ExportOptions = { into?: string; archive?: string }

export function addExport(program: Command, io: Io): void {
  program
    .command('export')
    .argument('[team]', 'a team; without it my default team')
    .option('--into <folder>', 'unpack into this new or empty folder')
    .option('--archive <file>', 'keep it as one .tar file')
    .summary("download all of a team's data")
    .description(
      'Everything the team owns: experiments, history as Parquet, logs, files, artifacts, members and the audit log. Give it back to an empty server with: teamgrid admin import.',
    )
    .action(handle(io, exportTeam))
}

async function exportTeam(context: Context, name: string | undefined, options: ExportOptions): Promise<void> {
  if ((options.into === undefined) === (options.archive === undefined))
    throw new GridError('invalid', 'Say where to: --into FOLDER or --archive FILE')
  const { ask } = await context.connection()
  const team = name ?? (await context.me()).defaultTeam
  const into = options.into === undefined ? undefined : resolve(context.io.cwd, options.into)
  if (into !== undefined) await refuseFull(into)
  const response = await ask(`/api/teams/${encodeURIComponent(team)}/export`)
  const source = Readable.fromWeb(response.body as ReadableStream)
  let total = 0
  if (into !== undefined) {
    await mkdir(into, { recursive: true })
    const files = await unpack(source as AsyncIterable<Uint8Array>, into, (size) => (total += size))
    context.done(`Exported ${team} to ${into}: ${files} files, ${bytes(total)}`)
    if (context.json) context.printJson({ team, folder: into, files, bytes: total })
    return
  }
  const path = resolve(context.io.cwd, options.archive!)
  const partial = `${path}.part`
  try {
    source.on('data', (chunk: Uint8Array) => (total += chunk.length))
    await pipeline(source, createWriteStream(partial))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw new GridError('unavailable', `The export broke off: ${(error as Error).message}`, { cause: error })
  }
  context.done(`Exported ${team} to ${path}: ${bytes(total)}`)
  if (context.json) context.printJson({ team, archive: path, bytes: total })
}

async function refuseFull(folder: string): Promise<void> {
  const there = await readdir(folder).catch(() => [])
  if (there.length > 0)
    throw new GridError('invalid', `${folder} is not empty`, { hint: 'Name a new folder.' })
}
