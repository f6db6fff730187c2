import { GridError } from '@teamgrid/api'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBench, type Bench } from './testing.ts'
import { withDatabase } from './trouble.ts'

let bench: Bench
beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.close())

const failing = (error: unknown) => withDatabase(() => Promise.reject(error))
const withCode = (code: string, message = 'x') => Object.assign(new Error(message), { code })

test('trouble that passes is told with the time to wait, a full disk with a longer one', async () => {
  for (const code of ['ECONNREFUSED', '57P01', '57P03', '53300', '40P01', '08006'])
    await expect(failing(withCode(code))).rejects.toMatchObject({
      code: 'unavailable',
      details: { retryAfterSeconds: 5 },
    })
  await expect(failing(new Error('Connection terminated unexpectedly'))).rejects.toMatchObject({
    code: 'unavailable',
  })
  await expect(failing(withCode('53100'))).rejects.toMatchObject({
    code: 'storage_full',
    details: { retryAfterSeconds: 60 },
  })
})

test('trouble of another store gets a time to wait, if it came without one', async () => {
  await expect(failing(new GridError('storage_full'))).rejects.toMatchObject({
    details: { retryAfterSeconds: 60 },
  })
  const own = new GridError('overloaded', undefined, { retryAfterSeconds: 2 })
  await expect(failing(own)).rejects.toMatchObject({ details: { retryAfterSeconds: 2 } })
})

test('bugs and refusals stay what they are', async () => {
  for (const error of [withCode('42601'), new TypeError('a bug'), new GridError('forbidden'), 'text'])
    await expect(failing(error)).rejects.toBe(error)
})

test('a database whose connections break under a script loses nothing that was acknowledged', async () => {
  const team = await bench.aTeam()
  const { ref, id } = await bench.anExperiment(team.member)
  let broken = 0
  const breakConnections = () =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`
      .execute(bench.db)
      .catch(() => {})
  const send = async (line: number): Promise<void> => {
    const chunk = {
      history: { offset: line, lines: [JSON.stringify({ _step: line, loss: line })] },
      summary: { loss: line },
    }
    for (;;)
      try {
        await bench.experiments.append(team.member, ref, chunk)
        return
      } catch (error) {
        expect(error).toMatchObject({ code: 'unavailable', details: { retryAfterSeconds: 5 } })
        broken++
      }
  }
  for (let line = 0; line < 40 || broken === 0; line += 4)
    await Promise.all(
      [line, line + 1, line + 2, line + 3].map(send).concat(breakConnections().then(() => {})),
    )
  const found = (await bench.experiments.findById(team.member, id))!
  const lines = await bench.experiments.history(found, { stream: 'history', limit: 10_000 })
  expect(lines.map((line) => line.step)).toEqual(
    Array.from({ length: found.historyLines }, (_, step) => step),
  )
  expect(found.historyLines).toBeGreaterThanOrEqual(40)
})
