import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBench, type Bench } from './testing.ts'
import type { StreamChunk } from './types.ts'

let bench: Bench
let team: Awaited<ReturnType<Bench['aTeam']>>
beforeAll(async () => {
  bench = await openBench()
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const lines = (writer: string, from: number, count: number) =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ _step: from + index, by: writer }))
const chunk = (writer: string, offset: number, count: number): StreamChunk => ({
  history: { offset, lines: lines(writer, offset, count) },
  sharedWriter: writer,
})

async function stored(id: string): Promise<string[]> {
  const experiment = (await bench.experiments.findById(team.member, id))!
  const scanned = await bench.experiments.history(experiment, { stream: 'history', limit: 1000 })
  return scanned.map((line) => line.raw)
}

test('writers that count alike do not overwrite each other; lines lie in the order of arrival', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  for (const each of [chunk('a', 0, 2), chunk('b', 0, 1), chunk('a', 2, 1), chunk('b', 1, 2)])
    await bench.experiments.append(team.member, ref, each)
  expect(await stored(id)).toEqual([
    ...lines('a', 0, 2),
    ...lines('b', 0, 1),
    ...lines('a', 2, 1),
    ...lines('b', 1, 2),
  ])
})

test('what a writer sends again, cut otherwise or partly, is stored once', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  const sent = [chunk('a', 0, 3), chunk('b', 0, 2), chunk('a', 3, 2)]
  for (const each of [...sent, ...sent, chunk('a', 1, 6), chunk('b', 1, 1), chunk('a', 0, 7)])
    await bench.experiments.append(team.member, ref, each)
  expect(await stored(id)).toEqual([
    ...lines('a', 0, 3),
    ...lines('b', 0, 2),
    ...lines('a', 3, 2),
    ...lines('a', 5, 2),
  ])
})

test('many at once lose nothing and double nothing', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  const sent = ['a', 'b', 'c'].flatMap((writer) => [0, 4, 8].map((offset) => chunk(writer, offset, 4)))
  await Promise.all([...sent, ...sent].map((each) => bench.experiments.append(team.member, ref, each)))
  const expected = ['a', 'b', 'c'].flatMap((writer) => lines(writer, 0, 12))
  expect((await stored(id)).toSorted()).toEqual(expected.toSorted())
})

test('each writer’s part of the summary stays, and a console line it overwrites is its own', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  const say = (writer: string, text: string): StreamChunk => ({
    console: { offset: 0, lines: [{ timeMs: null, level: 'info', label: writer, text }] },
    summary: { [writer]: text },
    sharedWriter: writer,
  })
  for (const each of [say('a', '10 %'), say('b', 'hello'), say('a', '90 %')])
    await bench.experiments.append(team.member, ref, each)
  const { lines } = await bench.experiments.console(team.member, { ...ref, limit: 10 })
  expect(lines.map(({ label, text }) => [label, text])).toEqual([
    ['a', '90 %'],
    ['b', 'hello'],
  ])
  expect((await bench.experiments.findById(team.member, id))!.summary).toEqual({ a: '90 %', b: 'hello' })
})
