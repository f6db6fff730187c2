import { expect, test } from 'vitest'
import { createBatch } from './batch.ts'
import type { WandbContext } from './graphql.ts'

const aRequest = () => ({}) as WandbContext

test('what the fields of one request ask is one question, and requests are never mixed', async () => {
  const asked: string[][] = []
  const lengthOf = createBatch(async (_, things: { id: string }[]) => {
    asked.push(things.map(({ id }) => id))
    return new Map(things.filter(({ id }) => id !== 'unknown').map(({ id }) => [id, id.length]))
  })
  const [mine, yours] = [aRequest(), aRequest()]
  const answers = await Promise.all([
    lengthOf(mine, { id: 'a' }),
    Promise.resolve().then(() => lengthOf(mine, { id: 'bb' })),
    lengthOf(yours, { id: 'ccc' }),
    lengthOf(mine, { id: 'bb' }),
    lengthOf(mine, { id: 'unknown' }),
  ])
  expect(answers).toEqual([1, 2, 3, 2, undefined])
  expect(asked.map((ids) => ids.toSorted())).toEqual([['a', 'bb', 'unknown'], ['ccc']])
})

test('a failure is told to all who asked, and the next turn asks again', async () => {
  let times = 0
  const load = createBatch(async () => {
    times += 1
    if (times === 1) throw new Error('away')
    return new Map([['a', times]])
  })
  const request = aRequest()
  const first = await Promise.allSettled([load(request, { id: 'a' }), load(request, { id: 'b' })])
  expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await load(request, { id: 'a' })).toBe(2)
})
