/** Chance that can be repeated: the same seed gives the same search. */

/** @returns a number in [0, 1) each time it is called. */
export type Random = () => number

/**
 * A small generator with 128 bits of state, good enough for drawing samples and never for secrets.
 *
 * @param seed any whole number; @param stream tells apart draws that share a seed, such as the trials of a sweep.
 * Source: sfc32 of PractRand (Chris Doty-Humphrey), seeded by splitmix32.
 */
export function createRandom(seed: number, stream = 0): Random {
  const next = splitmix32((seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0)
  let a = next()
  let b = next()
  let c = next()
  let counter = 1
  const draw = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  // The first numbers after seeding still resemble the seed.
  for (let round = 0; round < 12; round++) draw()
  return draw
}

function splitmix32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}

/** A standard normal number. Source: Box and Muller, 1958. */
export function normalOf(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return radius * Math.cos(2 * Math.PI * random())
}

/**
 * Points that fill the unit cube evenly from the first on, where independent draws would clump.
 *
 * @param shift one number in [0, 1) for each dimension: moves all points, so that seeds differ.
 * @returns point `index` (0, 1, …), one number in [0, 1) for each dimension.
 * Source: the additive recurrence R of Martin Roberts, “The unreasonable effectiveness of quasirandom sequences”, 2018.
 */
export function quasiRandomPoint(index: number, shift: readonly number[]): number[] {
  const dimensions = shift.length
  // The root above 1 of x^(dimensions + 1) = x + 1, which for one dimension is the golden ratio.
  let root = 2
  for (let round = 0; round < 40; round++) root = (1 + root) ** (1 / (dimensions + 1))
  return shift.map((start, dimension) => (start + (index + 1) * root ** -(dimension + 1)) % 1)
}
