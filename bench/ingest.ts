/**
 * Durable ingest through the front door: `file_stream` posts of 20 steps with 100 keys, each writer waiting for its
 * answer before it sends more, as the client does; and how long a point takes from being sent to being readable.
 * Floors of the same run: posts that carry nothing (the cost of a message), and the same bytes parsed and no more.
 *
 *   node bench/ingest.ts
 */
import { randomText } from '../server/src/lib/ids.ts'
import {
  begin,
  benchServer,
  machine,
  median,
  project,
  quantile,
  rounded,
  send,
  team,
  timed,
} from './support/server.ts'

const rounds = 5
const keys = 100
const stepsPerPost = 20
const bench = await benchServer()

/** One message of a script: history lines from `from`, and the summary they leave. */
function message(from: number, steps: number): string {
  const content = Array.from({ length: steps }, (_, index) => {
    const step = from + index
    const row: Record<string, number> = {
      _step: step,
      _runtime: step * 0.1,
      _timestamp: 1_790_000_000 + step * 0.1,
    }
    for (let key = 0; key < keys; key += 1)
      row[`group${key % 10}/metric_${key}`] = Math.sin(step / (key + 2)) + Math.random()
    return JSON.stringify(row)
  })
  return JSON.stringify({
    files: {
      'wandb-history.jsonl': { offset: from, content },
      'wandb-summary.json': { offset: 0, content: [content.at(-1)] },
    },
  })
}

const ingest = []
for (const [writers, postsEach] of [
  [1, 20],
  [10, 10],
  [100, 2],
] as const) {
  const rates: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const scripts = await Promise.all(
      Array.from({ length: writers }, async () => {
        const slug = randomText(8)
        await begin(bench, slug)
        return {
          slug,
          bodies: Array.from({ length: postsEach }, (_, post) => message(post * stepsPerPost, stepsPerPost)),
        }
      }),
    )
    const elapsed = await timed(() =>
      Promise.all(
        scripts.map(async ({ slug, bodies }) => {
          for (const body of bodies) await send(bench, slug, body)
        }),
      ),
    )
    rates.push((writers * postsEach * stepsPerPost * keys) / (elapsed / 1000))
  }
  ingest.push({ writers, pointsPerSecond: Math.round(median(rates)), all: rates.map(Math.round) })
}

/** Messages without data: what HTTP, the key and the row of the experiment cost. */
const slug = randomText(8)
await begin(bench, slug)
const heartbeats: number[] = []
for (let each = 0; each < 100; each += 1) heartbeats.push(await timed(() => send(bench, slug, '{}')))
const body = message(0, stepsPerPost)
const parseMs = await timed(async () => {
  for (let each = 0; each < 50; each += 1) {
    for (const line of (JSON.parse(body) as { files: { 'wandb-history.jsonl': { content: string[] } } })
      .files['wandb-history.jsonl'].content)
      JSON.parse(line)
  }
})

/** From sending a point until its curve has it. */
const visible: number[] = []
const details = await bench.grid.experiments.get({ team, project, experiment: slug })
for (let step = 0; step < 20; step += 1) {
  visible.push(
    await timed(async () => {
      await send(bench, slug, message(step, 1))
      for (;;) {
        const [curve] = await bench.grid.experiments.curves({
          experimentIds: [details.id],
          keys: ['group0/metric_0'],
        })
        if (curve && curve.x.at(-1) === step) return
      }
    }),
  )
}

console.log(
  JSON.stringify(
    {
      ...machine(),
      ingest: { keysPerStep: keys, stepsPerPost, results: ingest },
      appendToVisibleMs: { median: rounded(median(visible)), p95: rounded(quantile(visible, 0.95)) },
      floors: {
        emptyPostMs: rounded(median(heartbeats)),
        parsedOnlyPointsPerSecond: Math.round((50 * stepsPerPost * keys) / (parseMs / 1000)),
      },
    },
    null,
    2,
  ),
)
await bench.server.stop()
