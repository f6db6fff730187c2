/**
 * What a sweep has to think about for longer than a request should take: the next configuration of a search by a model,
 * and which parameters mattered. It happens in a thread of its own, so that nobody else waits for it.
 */
import { Worker } from 'node:worker_threads'
import { suggest, type Trial } from './bayes.ts'
import { type Feature, importances } from './importance.ts'
import type { Values } from './parameters.ts'
import { readConfig } from './sweep-config.ts'

/** So many values are thought about in a few milliseconds: not worth a thread, whose beginning takes longer. */
const valuesAtOnceMax = 200

export type Question =
  | {
      what: 'suggest'
      config: Record<string, unknown>
      trials: readonly Trial[]
      seed: number
      number: number
    }
  | { what: 'importances'; features: readonly Feature[]; targets: readonly number[] }

export type Answer = { id: number; value: unknown } | { id: number; error: string }

export type Learner = ReturnType<typeof createLearner>

/** One thread for all sweeps, begun with the first question that takes long; it does not keep the process alive. */
export function createLearner() {
  let thread: Worker | undefined
  let lastId = 0
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()

  function ask(question: Question): Promise<unknown> {
    thread ??= begin()
    const id = ++lastId
    const answer = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
    // Somebody waits for an answer: until then the process shall not end.
    thread.ref()
    thread.postMessage({ id, question })
    return answer
  }

  function begin(): Worker {
    const begun = new Worker(new URL('./learner-thread.ts', import.meta.url), { execArgv: [] })
    begun.on('message', (answer: Answer) => {
      const asked = waiting.get(answer.id)
      waiting.delete(answer.id)
      if (waiting.size === 0) begun.unref()
      if ('error' in answer) asked?.reject(new Error(answer.error))
      else asked?.resolve(answer.value)
    })
    const lose = (error: Error) => {
      if (thread === begun) thread = undefined
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    }
    begun.on('error', lose)
    begun.on('exit', () => lose(new Error('The thread that learns has ended')))
    return begun
  }

  return {
    /**
     * @param config of the sweep, as stored. @param trials what is known, and what is under way.
     * @param seed the sweep's; @param number of the experiment to come.
     * @returns values for the next experiment.
     */
    async suggest(config: Record<string, unknown>, trials: readonly Trial[], seed: number, number: number) {
      const { parameters } = readConfig(config).config
      if (trials.length * parameters.length <= valuesAtOnceMax)
        return suggest(parameters, trials, seed, number)
      return (await ask({ what: 'suggest', config, trials, seed, number })) as Values
    },
    /** As `importances` of importance.ts. */
    async importances(features: readonly Feature[], targets: readonly number[]) {
      if (targets.length * features.length <= valuesAtOnceMax) return importances(features, targets)
      return (await ask({ what: 'importances', features, targets })) as number[] | null
    },
  }
}
