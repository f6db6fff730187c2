import { InvalidArgumentError } from 'commander'

/** Commander parser for counts. */
export function positiveInteger(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('Give a number from 1.')
  return Number(text)
}
