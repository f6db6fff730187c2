/**
 * A real, tiny training for the demonstration: a network with one hidden layer learns to tell two interleaved spirals
 * apart by stochastic gradient descent. Small enough to be nothing to a laptop, hard enough to have a curve.
 */

export type Epoch = {
  loss: number
  accuracy: number
  validationLoss: number
  validationAccuracy: number
  gradientNorm: number
}

type Point = { x: number; y: number; label: 0 | 1 }

/** Numbers in [0, 1), the same for the same seed. Source: mulberry32 (Tommy Ettinger, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Two spirals of one turn, with noise. */
function spirals(random: () => number, count: number): Point[] {
  return Array.from({ length: count }, (_, index) => {
    const label = (index % 2) as 0 | 1
    const angle = random() * 2 * Math.PI
    const radius = 0.2 + angle / (2 * Math.PI)
    const turn = angle + label * Math.PI
    const noise = () => (random() - 0.5) * 0.4
    return { x: radius * Math.cos(turn) + noise(), y: radius * Math.sin(turn) + noise(), label }
  })
}

/** Trains until the caller stops asking; each step is one epoch. */
export function* trainSpirals(options: {
  seed: number
  learningRate: number
  hidden: number
  batchSize: number
}): Generator<Epoch, never> {
  const random = seededRandom(options.seed)
  const { hidden, learningRate, batchSize } = options
  const training = spirals(random, 400)
  const validation = spirals(random, 200)
  const weight = (scale: number) => (random() * 2 - 1) * scale
  const first = Array.from({ length: hidden }, () => [weight(1.5), weight(1.5), weight(1)])
  const second = Array.from({ length: hidden + 1 }, () => weight(1 / Math.sqrt(hidden)))

  const activate = (point: Point) =>
    first.map(([a, b, c]) => Math.tanh(4 * (a! * point.x + b! * point.y) + c!))
  const predict = (activations: number[]) => {
    const sum = activations.reduce((total, value, index) => total + value * second[index]!, second[hidden]!)
    return 1 / (1 + Math.exp(-sum))
  }
  const measure = (points: Point[]) => {
    let loss = 0
    let right = 0
    for (const point of points) {
      const probability = predict(activate(point))
      loss -= Math.log(Math.max(point.label === 1 ? probability : 1 - probability, 1e-12))
      if (probability > 0.5 === (point.label === 1)) right += 1
    }
    return { loss: loss / points.length, accuracy: right / points.length }
  }

  for (;;) {
    let squared = 0
    for (let start = 0; start < training.length; start += batchSize) {
      for (const point of training.slice(start, start + batchSize)) {
        const activations = activate(point)
        const error = predict(activations) - point.label
        for (let unit = 0; unit < hidden; unit += 1) {
          const back = error * second[unit]! * (1 - activations[unit]! ** 2)
          squared += back ** 2 + (error * activations[unit]!) ** 2
          second[unit] = second[unit]! - learningRate * error * activations[unit]!
          first[unit]![0] = first[unit]![0]! - learningRate * back * 4 * point.x
          first[unit]![1] = first[unit]![1]! - learningRate * back * 4 * point.y
          first[unit]![2] = first[unit]![2]! - learningRate * back
        }
        second[hidden] = second[hidden]! - learningRate * error
      }
    }
    const now = measure(training)
    const held = measure(validation)
    yield {
      loss: now.loss,
      accuracy: now.accuracy,
      validationLoss: held.loss,
      validationAccuracy: held.accuracy,
      gradientNorm: Math.sqrt(squared / training.length),
    }
  }
}
