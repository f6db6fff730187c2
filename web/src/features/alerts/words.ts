import type { AlertRule } from '@teamgrid/api'

const waits = [
  [0, 'every time'],
  [60, 'once a minute'],
  [600, 'once in 10 minutes'],
  [3600, 'once an hour'],
  [86_400, 'once a day'],
  [30 * 86_400, 'once in 30 days'],
] as const

export const waitChoices = waits

/** How often a rule may speak about one experiment. */
export function wordsOfWait(seconds: number): string {
  return waits.find(([each]) => each === seconds)?.[1] ?? `once in ${seconds} s`
}

/** Who hears of it, besides channels. */
export function wordsOfAudience({ reach, audience }: Pick<AlertRule, 'reach' | 'audience'>): string {
  if (reach === 'mine') return 'me'
  return { nobody: 'channels only', owner: 'the experiment’s owner', team: 'everybody in the team' }[audience]
}
