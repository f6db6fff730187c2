/**
 * A log of records on disk, for what another store may lose in a power cut. It is a folder of numbered segments; records
 * are added to the newest, one sync each. When what the older segments hold is durable elsewhere, they are removed.
 *
 * A record that was not acknowledged may be torn; it is left out when the log is read. Anything else that cannot be read
 * was acknowledged once, so it is reported, and the records behind it are still found.
 *
 * On disk a record is `mark, length, checksum, content`. Content is UTF-8 text, in which the bytes of the mark do not
 * occur, so nothing that is logged can pass for a record.
 */
import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

const mark = Buffer.from([0xff, 0xfe, 0xfd, 0xfc])
const headerBytes = mark.length + 8
const segmentName = /^\d{10}\.log$/

export type WriteAheadLog = Awaited<ReturnType<typeof openWriteAheadLog>>

/** Bytes `from` … `to` of a segment that held something acknowledged and cannot be read. */
export type Damage = { file: string; from: number; to: number }

/**
 * Opens the log in a folder, which is made if absent. Call the functions one at a time, each after the last has ended.
 *
 * @param directory nothing else may be in it.
 */
export async function openWriteAheadLog(directory: string) {
  await mkdir(directory, { recursive: true })
  await syncFolder(join(directory, '..'))
  const older = await segmentsIn(directory)
  let last = Number(older.at(-1)?.slice(0, 10) ?? 0)
  let current: { file: FileHandle; name: string; size: number } | undefined
  const sizes = new Map<string, number>()

  /**
   * Adds a record. After a failure it is unknown how much of it is on disk, so the segment is cut back and left, and the
   * next record begins another.
   * @returns when it is on the disk.
   * @throws what the file system says.
   */
  async function add(content: readonly Buffer[]): Promise<void> {
    current ??= await newSegment()
    const { file, name, size } = current
    try {
      const header = headerOf(content)
      const end = await writeWhole(file, [header, ...content], size)
      await file.datasync()
      current.size = end
      sizes.set(name, end)
    } catch (error) {
      current = undefined
      await file.truncate(size).catch(() => {})
      await file.close().catch(() => {})
      throw error
    }
  }

  async function newSegment() {
    const name = `${String(++last).padStart(10, '0')}.log`
    const file = await open(
      join(directory, name),
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
      0o600,
    )
    try {
      await syncFolder(directory)
    } catch (error) {
      await file.close()
      throw error
    }
    sizes.set(name, 0)
    return { file, name, size: 0 }
  }

  /** Ends the current segment. @returns the segments so far, for `remove`. */
  async function cut(): Promise<string[]> {
    const ended = current
    current = undefined
    await ended?.file.close()
    return [...new Set([...older, ...sizes.keys()])]
  }

  async function remove(segments: readonly string[]): Promise<void> {
    for (const name of segments) {
      await rm(join(directory, name), { force: true })
      sizes.delete(name)
      if (older.includes(name)) older.splice(older.indexOf(name), 1)
    }
  }

  /** Records from before this opening, oldest first. What cannot be read is handed to `onDamage`. */
  async function* recordsBefore(onDamage: (damage: Damage) => void): AsyncGenerator<Buffer> {
    for (const [index, name] of older.entries()) {
      const file = join(directory, name)
      const bytes = await readFile(file)
      let at = 0
      while (at < bytes.length) {
        const record = recordAt(bytes, at)
        if (record !== undefined) {
          yield record
          at += headerBytes + record.length
          continue
        }
        const next = nextRecord(bytes, at + 1)
        // The end of the newest segment is where a power cut tears what nobody was promised.
        if (next < bytes.length || index < older.length - 1) onDamage({ file, from: at, to: next })
        at = next
      }
    }
  }

  return {
    add,
    cut,
    remove,
    recordsBefore,
    /** Of what was added since it was opened and is not removed yet. */
    sizeBytes: () => [...sizes.values()].reduce((sum, size) => sum + size, 0),
  }
}

function headerOf(content: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(headerBytes)
  mark.copy(header)
  const length = content.reduce((sum, part) => sum + part.length, 0)
  const checksum = content.reduce((sum, part) => crc32(part, sum), 0)
  header.writeUInt32LE(length, mark.length)
  header.writeUInt32LE(checksum, mark.length + 4)
  return header
}

/** One call where one will do; the file system may take less than it is given. */
async function writeWhole(file: FileHandle, parts: Buffer[], position: number): Promise<number> {
  const { bytesWritten } = await file.writev(parts, position)
  let at = position + bytesWritten
  let skipped = bytesWritten
  for (const part of parts) {
    const rest = part.subarray(Math.min(skipped, part.length))
    skipped -= part.length - rest.length
    for (let done = 0; done < rest.length;) {
      const written = await file.write(rest, done, rest.length - done, at)
      done += written.bytesWritten
      at += written.bytesWritten
    }
  }
  return at
}

function recordAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + headerBytes > bytes.length || !bytes.subarray(at, at + mark.length).equals(mark)) return undefined
  const length = bytes.readUInt32LE(at + mark.length)
  const start = at + headerBytes
  if (start + length > bytes.length) return undefined
  const content = bytes.subarray(start, start + length)
  return crc32(content) === bytes.readUInt32LE(at + mark.length + 4) ? content : undefined
}

/** @returns where the next whole record begins, or the end. */
function nextRecord(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(mark, from); at !== -1; at = bytes.indexOf(mark, at + 1))
    if (recordAt(bytes, at) !== undefined) return at
  return bytes.length
}

async function segmentsIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => segmentName.test(name)).sort()
}

/** A new file is only certain to be found again once its folder is on the disk. */
async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
