/**
 * What a sweep's thinking costs: the next configuration of a search by a model over ten parameters, and how long it keeps
 * the server from everything else, with 50, 500 and 2,000 finished experiments; then which parameters mattered.
 *
 *   node bench/sweeps.ts
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Trial } from '../server/src/sweeps/bayes.ts'
import { suggest } from '../server/src/sweeps/bayes.ts'
import { importances } from '../server/src/sweeps/importance.ts'
import { createLearner } from '../server/src/sweeps/learner.ts'
import { drawValues } from '../server/src/sweeps/parameters.ts'
import { createRandom } from '../server/src/sweeps/random.ts'
import { readConfig } from '../server/src/sweeps/sweep-config.ts'
import { machine, median, rounded } from './support/server.ts'

const rounds = 9
/** Agents that work at the same time; the model believes something of each. */
const open = 16
const names = Array.from({ length: 10 }, (_, index) => `p${index}`)
const raw = {
  method: 'bayes',
  metric: { name: 'loss' },
  parameters: Object.fromEntries(names.map((name) => [name, { min: 0.0, max: 1.5 }])),
}
const { parameters } = readConfig(raw).config
const learner = createLearner()
await learner.suggest(raw, [], 1, 0)

const results = []
for (const finished of [50, 500, 2000]) {
  const trials = Array.from({ length: finished + open }, (_, number): Trial => {
    const values = drawValues(parameters, createRandom(1, number))
    const loss = names.reduce(
      (sum, name, index) => sum + (index + 1) * ((values[name] as number) - 0.4) ** 2,
      0,
    )
    return { values, loss: number < finished ? loss : null }
  })
  const here = []
  for (let round = 0; round < rounds; round++)
    here.push(timedHere(() => suggest(parameters, trials, 1, finished + round)))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const inThread = []
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    await learner.suggest(raw, trials, 1, finished + round)
    inThread.push(performance.now() - start)
  }
  delay.disable()
  const features = names.map((name) => ({
    isOrdered: true,
    values: trials.map(({ values }) => values[name] as number),
  }))
  const targets = trials.map(({ loss }) => loss ?? 0)
  results.push({
    finished,
    suggestMs: rounded(median(here)),
    suggestInThreadMs: rounded(median(inThread)),
    everybodyElseWaitsMsMax: rounded(delay.max / 1e6),
    importancesMs: rounded(timedHere(() => importances(features, targets))),
  })
}
console.log(JSON.stringify({ machine: machine(), parameters: names.length, open, results }, null, 2))

function timedHere(act: () => unknown): number {
  const start = performance.now()
  act()
  return performance.now() - start
}
