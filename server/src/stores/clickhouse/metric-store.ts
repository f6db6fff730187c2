/**
 * The metric store: everything that experiments log, on ClickHouse or chDB. What it takes and gives is in
 * `metric-types.ts`; its SQL is in `metric-write.ts`, `metric-sample.ts`, `metric-lines.ts`, `metric-pick.ts` and `metric-find.ts`.
 *
 * What it keeps true: an acknowledged line is a stored line; sending a line again changes no answer, in any order and
 * any chunks; a line sent with other content replaces the old one whole.
 */
import type { MetricStore } from './metric-types.ts'
import { createFinder } from './metric-find.ts'
import { createLineReader } from './metric-lines.ts'
import { createLinePicker } from './metric-pick.ts'
import { createAsk } from './metric-query.ts'
import { createSample } from './metric-sample.ts'
import { createLevels, levelLimits } from './metric-level.ts'
import { createMetricWriter } from './metric-write.ts'
import type { ClickHouse } from './open.ts'

export function createMetricStore({
  client,
  write,
  forget,
  checkpoint,
  close,
  clock = Date,
  limits = levelLimits,
}: Pick<ClickHouse, 'client' | 'write' | 'forget' | 'checkpoint' | 'close'> & {
  clock?: { now(): number }
  limits?: typeof levelLimits
}): MetricStore {
  const { settled, ...writer } = createMetricWriter({ client, write, forget, checkpoint }, clock)
  const ask = createAsk({ client })
  const levels = createLevels(ask, limits)
  return {
    ...writer,
    async forget(experimentIds) {
      await writer.forget(experimentIds)
      levels.forget(experimentIds)
    },
    sample: createSample(ask, levels),
    ...createLineReader(ask),
    ...createLinePicker(ask),
    ...createFinder(ask),
    async close() {
      await settled()
      await close()
    },
  }
}
