/**
 * A process for `survival.test.ts` to kill: appends line after line to the store in `argv[2]` and prints the number of
 * every line that was acknowledged.
 */
import { createMetricStore } from './metric-store.ts'
import { openClickHouse } from './open.ts'

const [path, experimentId, firstLine] = process.argv.slice(2) as [string, string, string]
const store = createMetricStore(await openClickHouse({ url: null, path }))
for (let round = Number(firstLine) / 8; ; round++)
  await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const line = round * 8 + index
      const raw = `{"loss":${line}}`
      await store.append({
        lines: [
          {
            experimentId,
            stream: 'history',
            line,
            step: line,
            runtimeSeconds: line,
            timestampSeconds: line,
            raw,
            numbers: { loss: line },
            objects: {},
          },
        ],
        console: [{ experimentId, line, timeMs: line, level: 'info', label: '', text: raw }],
      })
      process.stdout.write(`${line}\n`)
    }),
  )
