/** What removing somebody does, in words: read before it is done, so it must say what `removeMember` does. */
import type { Member, Removal } from '@teamgrid/api'

/** What somebody has in a team. */
export type Work = {
  running: { name: string; project: string }[]
  /** All that run, of which `running` names the first. */
  runningTotal: number
  experiments: number
  projects: number
  artifacts: number
  keys: number
  /** Open browser sessions. */
  sessions: number
  /** Open invitations that they made. */
  invitations: number
}

export function lastAdminSays(username: string, team: string): string {
  return `${username} is the last admin of ${team}; make somebody else admin first`
}

export function removalSentences(
  team: string,
  member: Pick<Member, 'username' | 'kind'>,
  work: Work,
): Pick<Removal, 'stops' | 'ends' | 'stays'> {
  const stops: string[] = []
  const ends: string[] = []
  const stays: string[] = []
  if (work.runningTotal > 0) {
    const named = work.running.map((each) => `${each.project}/${each.name}`).join(', ')
    const more = work.runningTotal - work.running.length
    stops.push(
      `${count(work.runningTotal, 'running experiment')} can log no more and will be shown as crashed: ${named}${more > 0 ? ` and ${more} more` : ''}.`,
    )
  }
  if (member.kind === 'service') {
    ends.push(`${count(work.keys, 'API key')} of ${member.username}: revoked for good, with the account.`)
  } else {
    ends.push(
      `Access to ${team} through ${count(work.keys, 'API key')} and ${count(work.sessions, 'open browser session')}, within seconds; they keep working elsewhere.`,
    )
  }
  ends.push(`Live pages of ${team} and links to its files made for ${member.username}.`)
  if (work.invitations > 0)
    ends.push(`${count(work.invitations, 'open invitation')} that ${member.username} made.`)
  const made = [
    work.experiments > 0 ? count(work.experiments, 'experiment') : '',
    work.projects > 0 ? count(work.projects, 'project') : '',
    work.artifacts > 0 ? count(work.artifacts, 'artifact version') : '',
  ].filter(Boolean)
  stays.push(
    made.length === 0
      ? `Nothing: ${member.username} made nothing in ${team}.`
      : `${made.join(', ')} stay in ${team} under the name of ${member.username}, until an admin gives them to somebody else.`,
  )
  return { stops, ends, stays }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
