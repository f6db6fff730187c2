/**
 * Gathers what the fields of one request ask of each of many things into one question for all of them. A page of runs
 * resolves the same field fifty times; the store is asked once.
 */
import type { WandbContext } from './graphql.ts'

type Waiting<Thing, Value> = { things: Map<string, Thing>; values: Promise<Map<string, Value>> }

/**
 * @param load answers by id; what it leaves out is undefined. Called once for all that was asked within one turn.
 * @returns a function for resolvers, to be called with the context of their request.
 */
export function createBatch<Thing extends { id: string }, Value>(
  load: (context: WandbContext, things: Thing[]) => Promise<Map<string, Value>>,
): (context: WandbContext, thing: Thing) => Promise<Value | undefined> {
  const waiting = new WeakMap<WandbContext, Waiting<Thing, Value>>()
  return async (context, thing) => {
    const gathered = waiting.get(context) ?? begin(context)
    gathered.things.set(thing.id, thing)
    return (await gathered.values).get(thing.id)
  }

  function begin(context: WandbContext): Waiting<Thing, Value> {
    const things = new Map<string, Thing>()
    // Fields of one page are resolved in promises of one turn, so all have asked when the turn is over.
    const values = new Promise<void>((resolve) => void setImmediate(resolve)).then(() => {
      waiting.delete(context)
      return load(context, [...things.values()])
    })
    const gathered = { things, values }
    waiting.set(context, gathered)
    return gathered
  }
}
