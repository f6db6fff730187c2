/** Exports on this machine: an archive unpacked into a folder, and a folder packed again on its way to a server. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GridError, readTar, tarBlock, tarHeader, tarPadding } from '@teamgrid/api'

/**
 * Unpacks an archive. Names have been checked by the reader: plain, relative, and without dots to climb with.
 *
 * @param received called with the size of each file.
 * @returns how many files.
 */
export async function unpack(
  source: AsyncIterable<Uint8Array>,
  folder: string,
  received: (bytes: number) => void,
): Promise<number> {
  let files = 0
  let isWhole = false
  for await (const { name, sizeBytes, body } of readTar(source)) {
    const path = join(folder, ...name.split('/'))
    await mkdir(dirname(path), { recursive: true })
    await pipeline(Readable.from(body), createWriteStream(path))
    files += 1
    received(sizeBytes)
    isWhole = name === 'manifest.json'
  }
  if (!isWhole) throw new GridError('unavailable', 'The export broke off before its end; try again')
  return files
}

/** A folder as the archive it came from: what says how much there is goes first, the manifest last. */
export async function* pack(folder: string): AsyncGenerator<Uint8Array> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const names = found
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name).slice(folder.length).split(sep).filter(Boolean).join('/'),
    )
    .filter((name) => name === 'teamgrid-export.json' || name === 'manifest.json' || sections.test(name))
    .toSorted((a, b) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1))
  if (names[0] !== 'teamgrid-export.json' || names.at(-1) !== 'manifest.json')
    throw new GridError('invalid', `${folder} is no export`, {
      hint: 'Make one with: grid export TEAM --into FOLDER',
    })
  for (const name of names) {
    const path = join(folder, ...name.split('/'))
    const { size } = await stat(path)
    yield tarHeader(name, size)
    yield* createReadStream(path) as AsyncIterable<Uint8Array>
    yield new Uint8Array(tarPadding(size))
  }
  yield new Uint8Array(2 * tarBlock)
}

const sections = /^(tables|history|system|console|blobs|contents)\//

function placeOf(name: string): number {
  if (name === 'teamgrid-export.json') return 0
  if (name === 'manifest.json') return 3
  return name.startsWith('tables/') ? 1 : 2
}
