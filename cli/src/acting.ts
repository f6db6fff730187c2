/** Acts on runs and experiments that may be somebody else's: find all, refuse all or ask once, then act. */
import {
  type Action,
  can,
  codeOf,
  type Experiment,
  GridError,
  isPolicyPreset,
  type Me,
  type PolicySwitches,
  type Team,
} from '@teamgrid/api'
import type { Context } from './context.ts'
import { type Resolved, resolve } from './resolve.ts'
import { shown } from './text.ts'

export type Kind = 'run' | 'experiment' | 'any'

/** What the references mean, in order. @throws GridError invalid, for a run where an experiment is due or the reverse. */
export async function findAll(
  context: Context,
  verb: 'stop' | 'delete',
  kind: Kind,
  refs: readonly string[],
  team: string | undefined,
): Promise<Resolved[]> {
  const found: Resolved[] = []
  for (const ref of refs) {
    const resolved = await resolve(context, ref, team)
    if (kind === 'experiment' && resolved.kind === 'run' && resolved.experiments.length > 1) {
      throw new GridError('invalid', `"${ref}" is a run of ${resolved.experiments.length} experiments`, {
        hint: `To ${verb} all of them: grid ${verb} run ${ref}`,
      })
    }
    if (kind === 'run' && resolved.kind === 'experiment' && resolved.experiments[0]!.group) {
      throw new GridError('invalid', `Must pass a Run name; "${ref}" is an experiment`, {
        hint: `To ${verb} it: grid ${verb} experiment ${ref}`,
      })
    }
    found.push(resolved)
  }
  return found
}

/**
 * The server decides; this asks the same table first, so that of a mixed list nothing is done rather than half.
 *
 * @param skipDenied leaves out what is refused, with a warning each, instead of refusing all.
 * @throws GridError with the first refusal, as the server would word it.
 */
export async function permitted(
  context: Context,
  action: Action,
  found: readonly Resolved[],
  skipDenied: boolean,
): Promise<Resolved[]> {
  const me = await context.me()
  const kept: Resolved[] = []
  for (const one of found) {
    const refusal = one.experiments.map((each) => refusalOf(me, action, each)).find(Boolean)
    if (refusal === undefined) kept.push(one)
    else if (skipDenied) context.warn(refusal.message.replace(/^Warning: /, ''))
    else throw refusal
  }
  return kept
}

function refusalOf(me: Me, action: Action, experiment: Experiment): GridError | undefined {
  return refusalFor(me, action, {
    team: experiment.team,
    ownerId: experiment.createdById,
    createdById: experiment.via?.username === me.user.username ? me.user.id : null,
    kind: 'experiment',
    name: experiment.name,
    ownerName: experiment.createdBy.username,
  })
}

/** What the table says to somebody's doing it to a thing of a team of theirs; undefined when it lets them. */
export function refusalFor(
  me: Me,
  action: Action,
  thing: {
    team: string
    kind: string
    name: string
    ownerId: string
    ownerName: string
    createdById: string | null
  },
): GridError | undefined {
  const team = me.teams.find((each) => each.slug === thing.team)
  // A team one is not in is for the server to judge.
  if (team === undefined) return undefined
  const { ownerId, ownerName, createdById, kind, name } = thing
  const verdict = can(
    { userId: me.user.id, role: team.role, orgRole: me.user.organisationRole, via: 'cli', keyScope: 'user' },
    action,
    {
      teamId: team.id,
      ownerId,
      createdById,
      isPersonalTeam: team.kind === 'personal',
      kind,
      name,
      ownerName,
      adminNames: team.admins,
    },
    policyOf(team),
  )
  if (verdict.allowed) return undefined
  return new GridError(codeOf(verdict), verdict.sentence, {
    ...(verdict.policy ? { policy: verdict.policy } : {}),
    owner: ownerName,
    admins: team.admins,
  })
}

export function policyOf({ policy }: Pick<Team, 'policy'>) {
  return {
    preset: isPolicyPreset(policy.preset) ? policy.preset : ('default' as const),
    switches: policy.switches as PolicySwitches,
    locked: [],
  }
}

/** Things of the list that somebody else made, with whose they are. */
export async function ofOthers(context: Context, found: readonly Resolved[]): Promise<Resolved[]> {
  const { user } = await context.me()
  return found.filter((one) =>
    one.experiments.some((experiment) => experiment.createdBy.username !== user.username),
  )
}

/** `run brave-lynx-101 belongs to bob.` for each. */
export function ownersText(found: readonly Resolved[]): string {
  return found
    .map((one) => {
      const owners = [...new Set(one.experiments.map((experiment) => experiment.createdBy.username))]
      return `${one.kind} ${shown(one.name)} belongs to ${owners.join(', ')}.\n`
    })
    .join('')
}

/**
 * `WARNING!`, what would happen, and `[y/N]`.
 *
 * @throws GridError forbidden, when the answer is not yes or there is nobody to ask; nothing has changed then.
 */
export async function confirm(
  context: Context,
  text: string,
  question: string,
  words: { not: string; yesHint: string },
): Promise<void> {
  const { stdin, stderr } = context.io
  stderr.write(`WARNING!\n${text}`)
  if (!stdin.isTTY) {
    throw new GridError('forbidden', `${words.not}: there is no terminal to ask whether you are sure`, {
      hint: words.yesHint,
    })
  }
  const answer = await stdin.ask(`${question} [y/N] `)
  if (!/^y(?:es)?$/i.test(answer)) throw new GridError('forbidden', `${words.not}, as you wished`)
}
