/**
 * Search by a model: what has been measured teaches a Gaussian process, and the next experiment is the one of which the
 * most improvement is to be expected. Several may be under way at once: each of those counts as if it would end where
 * the model expects it to, so that the next one goes elsewhere.
 *
 * Source: expected improvement of Jones, Schonlau and Welch, 1998; the believer of Ginsbourger, Le Riche and Carraro,
 * 2010; whole numbers and choices evaluated where they will be, Garrido-Merchán and Hernández-Lobato, 2020.
 */
import { normalDensity, normalShare } from './distributions.ts'
import { fitGaussianProcess, type Model } from './gaussian-process.ts'
import { type Parameter, textOf, valueIn, type Values, valuesAt } from './parameters.ts'
import { createRandom, normalOf, quasiRandomPoint, type Random } from './random.ts'

/** Values with what came of them, lower being better; null while that is not known. */
export type Trial = { values: Values; loss: number | null }

/** More points make the model slow and hardly better. */
const pointsMax = 100
const bestKept = 50
const candidatesMax = 600
/** The best candidates are moved about in ever smaller steps. */
const refinedMax = 6
const refinementSteps = [0.1, 0.03, 0.01, 0.003]
const movesPerStep = 6
/** Before so many have ended there is nothing to learn from. */
const startMin = 4
const startMax = 12

/**
 * @param seed the sweep's; @param number of the experiment to come, from 0: together they make every choice repeatable.
 * @returns values for the next experiment.
 */
export function suggest(
  parameters: readonly Parameter[],
  trials: readonly Trial[],
  seed: number,
  number: number,
): Values {
  const free = parameters.filter((parameter) => parameter.values === null || parameter.values.length > 1)
  const random = createRandom(seed, number)
  const atShares = (shares: readonly number[]): Values => {
    const shareOf = new Map(free.map((parameter, index) => [parameter, shares[index]!]))
    return valuesAt(
      parameters,
      parameters.map((parameter) => shareOf.get(parameter) ?? 0),
    )
  }
  const known = trials.filter((trial) => trial.loss !== null && Number.isFinite(trial.loss))
  const startCount = Math.min(startMax, Math.max(startMin, 2 * free.length))
  if (free.length === 0 || known.length < startCount) {
    const shift = createRandom(seed)
    return atShares(
      quasiRandomPoint(
        number,
        free.map(() => shift()),
      ),
    )
  }
  const space = createSpace(free)
  const model = modelOf(
    space,
    known,
    trials.filter((trial) => trial.loss === null),
  )
  if (!model) return atShares(free.map(() => random()))
  const tried = new Set(trials.map((trial) => textOf(trial.values)))
  return bestOf(free, space, model, known, tried, atShares, random)
}

/** @returns how much below `best` a point may be expected to be. */
export function expectedImprovement(best: number, { mean, deviation }: ReturnType<Model['predict']>): number {
  if (deviation <= 0) return Math.max(0, best - mean)
  const z = (best - mean) / deviation
  return (best - mean) * normalShare(z) + deviation * normalDensity(z)
}

/** Where values lie in the cube: an ordered parameter is one number, a choice one number for each of its values. */
type Space = { pointOf: (values: Values) => number[] | undefined }

function createSpace(free: readonly Parameter[]): Space {
  const indexes = new Map(
    free
      .filter((parameter) => parameter.isCategorical)
      .map((parameter) => [
        parameter,
        new Map(parameter.values!.map((value, index) => [textOf(value), index])),
      ]),
  )
  return {
    pointOf(values) {
      const point: number[] = []
      for (const parameter of free) {
        const value = valueIn(values, parameter.path)
        const choices = indexes.get(parameter)
        if (choices) {
          const chosen = choices.get(textOf(value))
          if (chosen === undefined) return undefined
          // Any two choices are then 1 apart, as the ends of an ordered parameter are.
          for (let index = 0; index < choices.size; index++) point.push(index === chosen ? Math.SQRT1_2 : 0)
        } else {
          const share = parameter.shareOf(value)
          if (share === undefined || Number.isNaN(share)) return undefined
          point.push(share)
        }
      }
      return point
    },
  }
}

type Fit = { model: Model; best: number }

function modelOf(space: Space, known: readonly Trial[], open: readonly Trial[]): Fit | undefined {
  const measured = known.flatMap((trial) => {
    const point = space.pointOf(trial.values)
    return point ? [{ point, loss: trial.loss! }] : []
  })
  if (measured.length < 2) return undefined
  const used = chosenOf(measured)
  const losses = squeezed(used.map((each) => each.loss))
  const points = used.map((each) => each.point)
  const first = fitGaussianProcess(points, losses)
  const believed = open.flatMap((trial) => {
    const point = space.pointOf(trial.values)
    return point ? [point] : []
  })
  const best = Math.min(...losses)
  if (believed.length === 0) return { model: first, best }
  const some = believed.slice(-pointsMax)
  const model = fitGaussianProcess(
    [...points, ...some],
    [...losses, ...some.map((point) => first.predict(point).mean)],
  )
  return { model, best }
}

/** The best ones and the newest ones. */
function chosenOf(measured: { point: number[]; loss: number }[]) {
  if (measured.length <= pointsMax) return measured
  const best = new Set(measured.toSorted((a, b) => a.loss - b.loss).slice(0, bestKept))
  const newest = measured.filter((each) => !best.has(each)).slice(-(pointsMax - bestKept))
  return measured.filter((each) => best.has(each) || newest.includes(each))
}

/** A loss that exploded says "not here" and no more; left as it is, it would flatten all the others into one. */
function squeezed(losses: number[]): number[] {
  const sorted = losses.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!
  const ceiling = at(0.5) + 3 * Math.max(at(0.5) - at(0), at(0.75) - at(0.25))
  return losses.map((loss) => (ceiling > at(0.5) ? Math.min(loss, ceiling) : loss))
}

function bestOf(
  free: readonly Parameter[],
  space: Space,
  { model, best }: Fit,
  known: readonly Trial[],
  tried: ReadonlySet<string>,
  atShares: (shares: readonly number[]) => Values,
  random: Random,
): Values {
  const judged = (shares: number[]) => {
    const values = atShares(shares)
    const point = space.pointOf(values)
    const improvement = point ? expectedImprovement(best, model.predict(point)) : -1
    // The same once more teaches nothing, as long as there is something else.
    return { shares, values, improvement: tried.has(textOf(values)) ? -1 : improvement }
  }
  const shift = free.map(() => random())
  let found = Array.from({ length: candidatesMax }, (_, index) => judged(quasiRandomPoint(index, shift)))
  const leader = known.reduce((a, b) => (b.loss! < a.loss! ? b : a))
  const leading = free.map(
    (parameter) => parameter.shareOf(valueIn(leader.values, parameter.path)) ?? random(),
  )
  found.push(judged(leading))
  for (const step of refinementSteps) {
    found = found.toSorted((a, b) => b.improvement - a.improvement).slice(0, refinedMax)
    const starts = [...found.map(({ shares }) => shares), leading]
    for (const shares of starts)
      for (let move = 0; move < movesPerStep; move++) found.push(judged(moved(free, shares, step, random)))
  }
  return found.reduce((a, b) => (b.improvement > a.improvement ? b : a)).values
}

/** A neighbour: ordered parameters a little off, now and then another choice. */
function moved(free: readonly Parameter[], shares: number[], step: number, random: Random): number[] {
  return shares.map((share, index) => {
    if (free[index]!.isCategorical) return random() < 0.15 ? random() : share
    const next = share + step * normalOf(random)
    return Math.min(1, Math.max(0, next))
  })
}
