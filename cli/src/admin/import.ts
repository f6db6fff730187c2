import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { Command } from 'commander'
import { GridError } from '@teamgrid/api'
import { pack } from '../archive.ts'
import type { Io } from '../io.ts'
import { adminCommand } from './command.ts'

export function addImportCommand(admin: Command, io: Io): void {
  adminCommand(admin, io, {
    name: 'import',
    description: 'Give an export (a folder, or a .tar file) back to this server. All of it, or nothing.',
    fields: ['source'],
    run: async ({ ask, json, printJson, done }, { source }) => {
      const path = resolve(io.cwd, source!)
      const found = await stat(path).catch(() => undefined)
      if (!found) throw new GridError('not_found', `There is no ${path}`)
      const chunks = found.isDirectory() ? pack(path) : createReadStream(path)
      const answer = await ask('/api/import', {
        method: 'POST',
        headers: { 'content-type': 'application/x-tar' },
        body: Readable.toWeb(Readable.from(chunks, { objectMode: false })) as unknown as BodyInit,
        // Sent as it is read: no side holds it whole.
        duplex: 'half',
      } as RequestInit)
      const imported = (await answer.json()) as {
        team: string
        experiments: number
        people: number
        lines: number
        blobs: number
      }
      done(
        `Imported ${imported.team}: ${imported.experiments} experiments, ${imported.lines} lines, ${imported.blobs} files and artifacts, ${imported.people} people`,
      )
      if (json) printJson(imported)
    },
  })
}
