/**
 * Which parameters mattered: a forest of regression trees learns the metric from the parameters; a parameter matters as
 * much as the forest's error grows on experiments that a tree has not seen when that parameter is shuffled among them.
 * Source: Breiman, “Random forests”, Machine Learning 2001 (permutation importance on out-of-bag samples).
 */
import { createRandom, type Random } from './random.ts'

/** One column of the experiments; `isOrdered` numbers are split at thresholds, others one against the rest. */
export type Feature = { isOrdered: boolean; values: readonly number[] }

const trees = 60
const depthMax = 12
const leafMin = 3
/** Fewer tell nothing apart from chance. */
export const learnMin = 8

/** @returns for each feature its share of the whole, 0 … 1; null with too few experiments or nothing that varies. */
export function importances(
  features: readonly Feature[],
  targets: readonly number[],
  seed = 1,
): number[] | null {
  if (targets.length < learnMin || features.length === 0) return null
  const random = createRandom(seed)
  const raw = features.map(() => 0)
  for (let tree = 0; tree < trees; tree++) {
    const sample = targets.map(() => Math.floor(random() * targets.length))
    const inBag = new Set(sample)
    const outside = targets.map((_, index) => index).filter((index) => !inBag.has(index))
    if (outside.length < 2) continue
    const root = grow(features, targets, sample, depthMax, random)
    const error = squaredError(root, features, targets, outside, null, outside)
    for (const feature of features.keys()) {
      const shuffled = shuffle(outside, random)
      raw[feature] = raw[feature]! + squaredError(root, features, targets, outside, feature, shuffled) - error
    }
  }
  const positive = raw.map((value) => Math.max(0, value))
  const sum = positive.reduce((total, value) => total + value, 0)
  return sum > 0 ? positive.map((value) => value / sum) : null
}

/** Pearson's correlation; null when one of them does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number | null {
  if (a.length < 3) return null
  const meanA = a.reduce((sum, value) => sum + value, 0) / a.length
  const meanB = b.reduce((sum, value) => sum + value, 0) / b.length
  let both = 0
  let squaredA = 0
  let squaredB = 0
  for (const [index, value] of a.entries()) {
    both += (value - meanA) * (b[index]! - meanB)
    squaredA += (value - meanA) ** 2
    squaredB += (b[index]! - meanB) ** 2
  }
  return squaredA > 0 && squaredB > 0 ? both / Math.sqrt(squaredA * squaredB) : null
}

type Node = { mean: number; split?: Split; yes?: Node; no?: Node }
type Split = { feature: number; isOrdered: boolean; at: number }

const goesYes = ({ isOrdered, at }: Split, value: number) => (isOrdered ? value <= at : value === at)

function grow(
  features: readonly Feature[],
  targets: readonly number[],
  sample: readonly number[],
  depth: number,
  random: Random,
): Node {
  const mean = sample.reduce((sum, index) => sum + targets[index]!, 0) / sample.length
  if (depth === 0 || sample.length < 2 * leafMin) return { mean }
  // Every split looks at a third of the features, so that the trees differ.
  const some = shuffle([...features.keys()], random).slice(0, Math.max(1, Math.ceil(features.length / 3)))
  const split = bestSplit(features, targets, sample, some)
  if (!split) return { mean }
  const { values } = features[split.feature]!
  const yes = sample.filter((index) => goesYes(split, values[index]!))
  const no = sample.filter((index) => !goesYes(split, values[index]!))
  return {
    mean,
    split,
    yes: grow(features, targets, yes, depth - 1, random),
    no: grow(features, targets, no, depth - 1, random),
  }
}

/** The split after which the squared error is lowest; undefined when none helps. */
function bestSplit(
  features: readonly Feature[],
  targets: readonly number[],
  sample: readonly number[],
  some: readonly number[],
): Split | undefined {
  const total = sample.reduce((sum, index) => sum + targets[index]!, 0)
  const count = sample.length
  let best: Split | undefined
  let bestGain = 1e-12
  const consider = (split: Split, yesSum: number, yesCount: number) => {
    if (yesCount < leafMin || count - yesCount < leafMin) return
    const gain =
      (yesSum * yesSum) / yesCount + (total - yesSum) ** 2 / (count - yesCount) - (total * total) / count
    if (gain > bestGain) {
      best = split
      bestGain = gain
    }
  }
  for (const feature of some) {
    const { isOrdered, values } = features[feature]!
    if (isOrdered) {
      const sorted = sample.toSorted((a, b) => values[a]! - values[b]!)
      let sum = 0
      for (const [position, index] of sorted.entries()) {
        sum += targets[index]!
        const following = sorted[position + 1]
        if (following === undefined || values[following]! === values[index]!) continue
        consider({ feature, isOrdered, at: (values[index]! + values[following]!) / 2 }, sum, position + 1)
      }
    } else {
      for (const at of new Set(sample.map((index) => values[index]!))) {
        const chosen = sample.filter((index) => values[index] === at)
        consider(
          { feature, isOrdered, at },
          chosen.reduce((sum, index) => sum + targets[index]!, 0),
          chosen.length,
        )
      }
    }
  }
  return best
}

/** @param shuffled of which experiment the value of `feature` is taken instead of one's own. */
function squaredError(
  root: Node,
  features: readonly Feature[],
  targets: readonly number[],
  rows: readonly number[],
  feature: number | null,
  shuffled: readonly number[],
): number {
  let sum = 0
  for (const [position, row] of rows.entries()) {
    let node = root
    while (node.split) {
      const from = node.split.feature === feature ? shuffled[position]! : row
      node = goesYes(node.split, features[node.split.feature]!.values[from]!) ? node.yes! : node.no!
    }
    sum += (targets[row]! - node.mean) ** 2
  }
  return sum / rows.length
}

function shuffle<Item>(items: readonly Item[], random: Random): Item[] {
  const shuffled = [...items]
  for (let index = shuffled.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    const swapped = shuffled[index]!
    shuffled[index] = shuffled[other]!
    shuffled[other] = swapped
  }
  return shuffled
}
