/**
 * What a sweep has tried already, however much that is: read once and then only what is new, so that choosing something
 * new does not read the whole search again. It is kept in memory for the sweeps in use.
 */
import { createGrid, freeInGrid, type Grid } from './grid.ts'
import { type Parameter, put, textOf, valueIn, type Values } from './parameters.ts'
import type { Random } from './random.ts'
import type { SweepConfig } from './sweep-config.ts'
import type { Db } from './store.ts'
import * as trialStore from './trial-store.ts'
import type { StoredSweep } from './types.ts'

/** Sweeps kept in memory; what was not asked for longest goes. */
const sweepsMax = 50
const rowsPerRead = 5000

export type Taken = {
  /** Whether these values of the sweep's parameters were tried; what else stands beside them does not count. */
  has: (values: Values) => boolean
  /** The first combination of a grid that nobody has. @returns undefined when all are taken. */
  nextInGrid: () => Values | undefined
  /** Any combination that nobody has, where there are finitely many. */
  anyInGrid: (random: Random) => Values | undefined
}

type Kept = {
  configText: string
  /** A search over values that can be counted is a grid, in whatever order it is gone through. */
  grid: Grid | undefined
  /** Trials below this number are in. */
  through: number
  /** Void trials when it was read: a deleted experiment gives its place back. */
  voids: number
  priors: number
  texts: Set<string>
  /** Positions in the grid, where the search is one. */
  positions: Set<number>
  /** All positions below are taken. */
  cursor: number
}

export function createTaken() {
  const kept = new Map<string, Kept>()

  /**
   * @param tally of now, read in the same transaction. @param priors values of experiments that the sweep did not choose.
   */
  async function takenIn(
    db: Db,
    sweep: Pick<StoredSweep, 'id' | 'configText'>,
    config: SweepConfig,
    tally: trialStore.TrialTally,
    priors: readonly Values[],
  ): Promise<Taken> {
    const before = kept.get(sweep.id)
    const isStale =
      before === undefined ||
      before.configText !== sweep.configText ||
      // Another server may have been faster, and a place may have become free.
      before.through > tally.nextNumber ||
      before.voids !== tally.voids ||
      before.priors > priors.length
    const known = isStale
      ? {
          configText: sweep.configText,
          grid: gridOf(config),
          through: 0,
          voids: tally.voids,
          priors: 0,
          texts: new Set<string>(),
          positions: new Set<number>(),
          cursor: 0,
        }
      : before
    kept.delete(sweep.id)
    kept.set(sweep.id, known)
    if (kept.size > sweepsMax) kept.delete(kept.keys().next().value!)
    while (known.through < tally.nextNumber) {
      const rows = await trialStore.triedFrom(db, sweep.id, known.through, rowsPerRead)
      for (const { values, isVoid } of rows) if (!isVoid) add(known, config.parameters, values)
      known.through = rows.length < rowsPerRead ? tally.nextNumber : rows.at(-1)!.number + 1
    }
    for (const values of priors) add(known, config.parameters, values)
    known.priors = priors.length
    return {
      has: (values) => known.texts.has(keyOf(config.parameters, values)),
      nextInGrid: () => nextOf(known),
      anyInGrid: (random) => anyOf(known, random),
    }
  }

  return { takenIn }
}

function gridOf({ parameters }: SweepConfig): Grid | undefined {
  return parameters.every((parameter) => parameter.values !== null) ? createGrid(parameters) : undefined
}

function add(known: Kept, parameters: readonly Parameter[], values: Values): void {
  known.texts.add(keyOf(parameters, values))
  const position = known.grid?.positionOf(values)
  if (position !== undefined) known.positions.add(position)
}

function keyOf(parameters: readonly Parameter[], values: Values): string {
  const own: Values = {}
  for (const { path } of parameters) put(own, path, valueIn(values, path))
  return textOf(own)
}

function nextOf(known: Kept): Values | undefined {
  const { grid } = known
  const free = grid && freeInGrid(grid, known.positions, known.cursor)
  known.cursor = free ?? grid?.size ?? 0
  return free === undefined ? undefined : grid?.at(free)
}

function anyOf({ grid, positions }: Kept, random: Random): Values | undefined {
  if (!grid || !Number.isSafeInteger(grid.size) || positions.size >= grid.size) return undefined
  const start = Math.floor(random() * grid.size)
  const free = freeInGrid(grid, positions, start) ?? freeInGrid(grid, positions, 0)
  return free === undefined ? undefined : grid.at(free)
}
