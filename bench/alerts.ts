/**
 * What rules on metrics cost the scripts they watch: the same posts as in `ingest.ts`, to teams with 0, 10 and 100 rules
 * on what is logged. The teams take turns, so that neighbours on the machine disturb all alike.
 *
 *   node bench/alerts.ts
 */
import { readFile } from 'node:fs/promises'
import type { AlertCondition } from '@teamgrid/api'
import { randomText } from '../server/src/lib/ids.ts'
import { begin, type Bench, benchServer, machine, median, rounded, send, timed } from './support/server.ts'

const rounds = 15
const writers = 10
const postsEach = 8
const keys = 100
const stepsPerPost = 20
const ruleCounts = [0, 10, 100]
const pointsARound = writers * postsEach * stepsPerPost * keys

const nameOf = (key: number) => `group${key % 10}/metric_${key}`

/** Rules that look at every line and never speak: half compare one value, half a window of 30. */
function conditionOf(rule: number): AlertCondition {
  const metric = nameOf(rule % keys)
  switch (rule % 4) {
    case 0:
      return { kind: 'threshold', metric, operator: 'gt', value: 1e9, aggregate: null, windowValues: 1 }
    case 1:
      return { kind: 'nonfinite', metric }
    case 2:
      return { kind: 'threshold', metric, operator: 'gt', value: 1e9, aggregate: 'average', windowValues: 30 }
    default:
      return { kind: 'zscore', metric, direction: 'any', deviations: 1000, windowValues: 30 }
  }
}

function message(from: number): string {
  const content = Array.from({ length: stepsPerPost }, (_, index) => {
    const row: Record<string, number> = { _step: from + index }
    for (let key = 0; key < keys; key += 1)
      row[nameOf(key)] = Math.sin((from + index) / (key + 2)) + Math.random()
    return JSON.stringify(row)
  })
  return JSON.stringify({
    files: {
      'wandb-history.jsonl': { offset: from, content },
      'wandb-summary.json': { offset: 0, content: [content.at(-1)] },
    },
  })
}

async function teamWithRules(bench: Bench, count: number): Promise<string> {
  const slug = `rules-${count}`
  await bench.grid.teams.create({ slug })
  for (let rule = 0; rule < count; rule += 1)
    await bench.grid.alerts.createRule({ team: slug, name: `Rule ${rule}`, condition: conditionOf(rule) })
  return slug
}

/** Processor time of the server's main thread so far. Source: proc(5), fields utime and stime, in hundredths of a second. */
async function mainThreadMs({ server: { pid } }: Bench): Promise<number> {
  const stat = await readFile(`/proc/${pid}/task/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function round(bench: Bench, entity: string) {
  const scripts = await Promise.all(
    Array.from({ length: writers }, async () => {
      const slug = randomText(8)
      await begin(bench, slug, {}, entity)
      return { slug, bodies: Array.from({ length: postsEach }, (_, post) => message(post * stepsPerPost)) }
    }),
  )
  const before = await mainThreadMs(bench)
  const elapsedMs = await timed(() =>
    Promise.all(
      scripts.map(async ({ slug, bodies }) => {
        for (const body of bodies) await send(bench, slug, body, entity)
      }),
    ),
  )
  return { elapsedMs, mainMs: (await mainThreadMs(bench)) - before }
}

const bench = await benchServer()
const teams = []
for (const count of ruleCounts) teams.push({ count, slug: await teamWithRules(bench, count) })
const measured = teams.map(() => [] as Awaited<ReturnType<typeof round>>[])
for (const { slug } of teams) await round(bench, slug)
for (let each = 0; each < rounds; each += 1)
  for (const [index, { slug }] of teams.entries()) measured[index]!.push(await round(bench, slug))

const results = teams.map(({ count }, index) => {
  const elapsed = measured[index]!.map(({ elapsedMs }) => elapsedMs)
  const ratios = elapsed.map((ms, at) => ms / measured[0]![at]!.elapsedMs)
  const mainMs = measured[index]!.reduce((sum, each) => sum + each.mainMs, 0)
  return {
    rules: count,
    pointsPerSecond: Math.round(pointsARound / (median(elapsed) / 1000)),
    /** Of each round with the round without rules beside it. */
    timesWithoutRules: Math.round(median(ratios) * 1000) / 1000,
    mainThreadMsPer100000Points: rounded((mainMs / (rounds * pointsARound)) * 100_000),
  }
})
console.log(
  JSON.stringify({ ...machine(), writers, keysPerStep: keys, stepsPerPost, rounds, results }, null, 2),
)
await bench.server.stop()
