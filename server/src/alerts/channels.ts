/** Where alerts of a team can go: addresses, Slack-compatible hooks, signed webhooks. */
import { randomBytes } from 'node:crypto'
import { type AlertChannel, GridError } from '@teamgrid/api'
import { z } from 'zod'
import type { Access } from '../access.ts'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Outbound } from '../lib/outbound.ts'
import type { Sealed } from '../lib/sealed.ts'
import { channelContext, type Firing } from './firing.ts'
import type { Rules } from './rules.ts'
import { type Db, findChannel, listChannels, type StoredChannel } from './store.ts'

const channelsMax = 50
const addressesMax = 20

export function createChannels(deps: {
  db: Db
  access: Access
  sealed: Sealed
  outbound: Outbound
  rules: Pick<Rules, 'teamGuard'>
  firing: Firing
  linkOrigin: string
  clock: Clock
  wake: () => void
}) {
  const { db, access, sealed, outbound, rules, clock } = deps

  async function list(actor: Actor, slug: string): Promise<AlertChannel[]> {
    const team = await access.allowed(actor, 'team:read', rules.teamGuard(slug))
    return (await listChannels(db, team.id)).map(shown)
  }

  /** @returns the secret of a webhook, which nobody sees again. */
  async function create(
    actor: Actor,
    slug: string,
    input: { name: string; kind: AlertChannel['kind']; target: string },
  ): Promise<AlertChannel & { secret: string | null }> {
    const team = await access.allowed(actor, 'alert:manage', rules.teamGuard(slug))
    const { target, hint } = targetOf(input.kind, input.target)
    const existing = await listChannels(db, team.id)
    if (existing.length >= channelsMax)
      throw new GridError('conflict', `${slug} has ${channelsMax} channels already; remove one first.`)
    if (existing.some(({ name }) => name.toLowerCase() === input.name.toLowerCase()))
      throw new GridError('conflict', `There is a channel ${input.name} in ${slug} already`)
    const id = newId(clock.now().getTime())
    const secret = input.kind === 'webhook' ? `whsec_${randomBytes(32).toString('base64')}` : null
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('alert_channels')
        .values({
          id,
          team_id: team.id,
          name: input.name,
          kind: input.kind,
          target: sealed.seal(target, channelContext(id)),
          hint,
          secret: secret && sealed.seal(secret, channelContext(id, 'secret')),
          created_by: actor.userId,
          created_at: clock.now(),
        })
        .execute()
      await noted(trx, actor, 'create channel', { id, teamId: team.id, name: input.name })
    })
    return { ...shown((await findChannel(db, team.id, id))!), secret }
  }

  async function remove(actor: Actor, slug: string, channelId: string): Promise<void> {
    const channel = await own(actor, slug, channelId)
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('alert_channels').where('id', '=', channel.id).execute()
      await noted(trx, actor, 'delete channel', channel)
    })
  }

  async function test(actor: Actor, slug: string, channelId: string): Promise<void> {
    const channel = await own(actor, slug, channelId)
    await db.transaction().execute((trx) =>
      deps.firing.deliver(
        trx,
        channel.teamId,
        [channel.id],
        {
          id: '',
          title: 'Test message',
          text: `Alerts of ${slug} will arrive here.`,
          level: 'info',
          team: slug,
          project: null,
          experiment: null,
          url: `${deps.linkOrigin}/teams/${encodeURIComponent(slug)}/alerts`,
          rule: null,
          createdAt: clock.now().toISOString(),
          details: { event: 'test' },
        },
        null,
      ),
    )
    deps.wake()
  }

  async function own(actor: Actor, slug: string, channelId: string): Promise<StoredChannel> {
    const team = await rules.teamGuard(slug)
    const channel = team && (await findChannel(db, team.id, channelId))
    await access.allowed(
      actor,
      'alert:manage',
      channel && { ...team!, kind: 'alert channel', label: channel.name },
    )
    return channel!
  }

  function targetOf(kind: AlertChannel['kind'], given: string): { target: string; hint: string } {
    if (kind === 'email') {
      const addresses = [...new Set(given.split(/[,;\s]+/).filter(Boolean))]
      const wrong = addresses.find((address) => !z.email().safeParse(address).success)
      if (wrong !== undefined || addresses.length === 0)
        throw new GridError('invalid', `"${(wrong ?? given).slice(0, 200)}" is not an e-mail address`)
      if (addresses.length > addressesMax)
        throw new GridError('invalid', `A channel has ${addressesMax} addresses at most.`)
      return { target: addresses.join(','), hint: addresses.join(', ') }
    }
    const url = outbound.checkUrl(given)
    // Paths of hooks are their passwords.
    return { target: url.href, hint: `${url.origin}/…${url.href.length > 40 ? url.href.slice(-4) : ''}` }
  }

  return { list, create, remove, test, own }
}

async function noted(
  trx: Db,
  actor: Actor,
  what: string,
  channel: { id: string; teamId: string; name: string },
): Promise<void> {
  await record(trx, actor, 'alert:manage', {
    teamId: channel.teamId,
    kind: 'alert channel',
    id: channel.id,
    details: { what, name: channel.name },
  })
}

function shown({ id, name, kind, hint, createdAt }: StoredChannel): AlertChannel {
  return { id, name, kind, hint, createdAt: createdAt.toISOString() }
}
