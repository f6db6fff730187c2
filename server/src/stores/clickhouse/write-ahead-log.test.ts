import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openWriteAheadLog, type Damage } from './write-ahead-log.ts'

const directory = mkdtempSync(join(tmpdir(), 'teamgrid-log-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let logs = 0
const aFolder = () => join(directory, String(logs++))

async function aLogOf(folder: string, records: string[]) {
  const log = await openWriteAheadLog(folder)
  for (const record of records) await log.add([Buffer.from(record)])
  return log
}

async function read(folder: string): Promise<{ records: string[]; damages: Damage[] }> {
  const damages: Damage[] = []
  const records: string[] = []
  const log = await openWriteAheadLog(folder)
  for await (const record of log.recordsBefore((damage) => damages.push(damage)))
    records.push(record.toString())
  return { records, damages }
}

const segments = (folder: string) => readdirSync(folder).sort()
const onlySegment = (folder: string) => join(folder, segments(folder)[0]!)

test('what was added is read in order by the next who opens it, parts joined, and not by the same', async () => {
  const folder = aFolder()
  const log = await aLogOf(folder, ['a', ''])
  await log.add([Buffer.from('b'), Buffer.from('c')])
  const found: Buffer[] = []
  for await (const record of log.recordsBefore(() => {})) found.push(record)
  expect(found).toEqual([])
  expect(await read(folder)).toEqual({ records: ['a', '', 'bc'], damages: [] })
})

test('the last record, cut at any byte, is left out without a word: nobody was promised it', async () => {
  const folder = aFolder()
  await aLogOf(folder, ['first', 'second'])
  const whole = readFileSync(onlySegment(folder))
  for (let size = whole.length - 1; size >= whole.length / 2; size--) {
    truncateSync(onlySegment(folder), size)
    const { records, damages } = await read(folder)
    expect(damages).toEqual([])
    expect(records).toEqual(size >= 17 ? ['first'] : [])
  }
})

test('a torn end may also be rubbish, zeros or a record with a wrong checksum', async () => {
  for (const rest of [Buffer.alloc(5000), Buffer.from('rubbish'.repeat(99))]) {
    const folder = aFolder()
    await aLogOf(folder, ['first'])
    appendFileSync(onlySegment(folder), rest)
    expect(await read(folder)).toEqual({ records: ['first'], damages: [] })
  }
  const folder = aFolder()
  await aLogOf(folder, ['first', 'second'])
  const bytes = readFileSync(onlySegment(folder))
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(onlySegment(folder), bytes)
  expect(await read(folder)).toEqual({ records: ['first'], damages: [] })
})

test('damage before the end is told, and what is behind it is still found', async () => {
  const folder = aFolder()
  await aLogOf(folder, ['first', 'second', 'third'])
  const whole = readFileSync(onlySegment(folder))
  // Its length, its checksum, its content, its mark.
  for (const at of [17 + 4, 17 + 8, 17 + 13, 17]) {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 0x55
    writeFileSync(onlySegment(folder), bytes)
    expect(await read(folder)).toEqual({
      records: ['first', 'third'],
      damages: [{ file: onlySegment(folder), from: 17, to: 35 }],
    })
  }
})

test('an older segment ends where it was cut, so a torn end there is damage', async () => {
  const folder = aFolder()
  const log = await aLogOf(folder, ['first', 'second'])
  await log.cut()
  await log.add([Buffer.from('third')])
  truncateSync(onlySegment(folder), 30)
  expect(await read(folder)).toEqual({
    records: ['first', 'third'],
    damages: [{ file: onlySegment(folder), from: 17, to: 30 }],
  })
})

test('text that looks like a record is no record', async () => {
  const inner = aFolder()
  await aLogOf(inner, ['forged'])
  const forged = readFileSync(onlySegment(inner)).toString('utf8')
  const folder = aFolder()
  await aLogOf(folder, [`before ${forged} after`, 'second'])
  const bytes = readFileSync(onlySegment(folder))
  bytes[4]! ^= 1
  writeFileSync(onlySegment(folder), bytes)
  expect((await read(folder)).records).toEqual(['second'])
})

test('removed segments are gone, those that came after the cut stay', async () => {
  const folder = aFolder()
  await aLogOf(folder, ['of an earlier start'])
  const log = await aLogOf(folder, ['before'])
  const before = await log.cut()
  expect(log.sizeBytes()).toBe(18)
  await log.add([Buffer.from('after')])
  await log.remove(before)
  expect(log.sizeBytes()).toBe(17)
  expect(await read(folder)).toEqual({ records: ['after'], damages: [] })
  await log.remove(await log.cut())
  expect(segments(folder)).toEqual([])
  await log.add([Buffer.from('again')])
  expect(segments(folder)).toEqual(['0000000004.log'])
})

test('a record that did not fit on the disk is refused and leaves nothing; the next one is kept', async () => {
  const folder = aFolder()
  // The size of files is limited to 4 KiB, so a part of the second is written before the system says no.
  const script = `
    const { openWriteAheadLog } = await import(${JSON.stringify(new URL('./write-ahead-log.ts', import.meta.url).href)})
    const log = await openWriteAheadLog(${JSON.stringify(folder)})
    await log.add([Buffer.from('first')])
    await log.add([Buffer.alloc(9000, 'x')]).catch((error) => console.log(error.code))
    await log.add([Buffer.from('second')])`
  const child = execFileSync(
    'bash',
    ['-c', 'ulimit -f 4; exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: 'utf8' },
  )
  expect(child).toBe('EFBIG\n')
  expect(await read(folder)).toEqual({ records: ['first', 'second'], damages: [] })
  expect(segments(folder)).toHaveLength(2)
})
