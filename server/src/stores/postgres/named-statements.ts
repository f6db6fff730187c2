/**
 * Postgres plans a statement anew each time it comes, which for our joins takes longer than running it. Statements that
 * come again and again are therefore given a name, under which a connection keeps their plan.
 */
import { createHash } from 'node:crypto'
import pg from 'pg'

/** A statement is named when it has come so often; most of what is put together from filters never does. */
const timesBefore = 20
/** Every connection keeps a plan of each, some ten kilobytes. */
const namesMax = 40
/** Texts counted at the same time. */
const countedMax = 500

/** Gives the name of a statement, or undefined for one that is not worth one. Source: pg documentation, "Prepared statements". */
export function createStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  return (text) => {
    const name = names.get(text)
    if (name !== undefined || names.size >= namesMax) return name
    const count = (counts.get(text) ?? 0) + 1
    if (count < timesBefore) {
      if (counts.size >= countedMax && !counts.has(text)) counts.clear()
      counts.set(text, count)
      return undefined
    }
    counts.delete(text)
    const made = `s${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
    names.set(text, made)
    return made
  }
}

/** A client class for `pg.Pool` that names what `nameOf` names; only statements with values, which hold one command. */
export function clientWithNames(nameOf: (text: string) => string | undefined): typeof pg.Client {
  return class extends pg.Client {
    // oxlint-disable-next-line typescript/no-explicit-any -- seven overloads; only one of them is ours
    override query(...given: any[]): any {
      const [text, values] = given
      const name =
        typeof text === 'string' && Array.isArray(values) && values.length > 0 ? nameOf(text) : undefined
      if (name === undefined) return (super.query as (...same: unknown[]) => unknown)(...given)
      return (super.query as (...same: unknown[]) => unknown)({ name, text, values }, ...given.slice(2))
    }
  }
}
