/**
 * How long versions are kept. A version says so itself (some time, or for ever) or inherits what its team says. What a
 * registry links to is kept in any case.
 * Source: wandb sdk/artifacts/artifact.py (`ttl`, ArtifactTTL.INHERIT) and `ttlIsInherited`, read 2026-11.
 */
import { GridError, type TeamTimeToLive } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { StoredArtifact } from './artifact.ts'
import type { ArtifactsDeps } from './deps.ts'
import * as store from './expiry-store.ts'

/** Less would delete what a training script is about to use. */
const secondsMin = 3600
const secondsMax = 100 * 365 * 24 * 3600

export function createTimeToLive({ db, access, teams, events, clock }: ArtifactsDeps) {
  /**
   * @param seconds what the team may be about to say; absent: what it says now.
   * @returns how many versions inherit, and how many of them would be deleted at once.
   */
  async function teamTimeToLive(
    actor: Actor,
    { team: slug, seconds }: { team: string; seconds?: number | null },
  ): Promise<TeamTimeToLive> {
    const team = await access.allowed(actor, 'team:read', teams.teamGuard(slug))
    const now = await store.findTeamTtl(db, team.id)
    const asked = seconds === undefined ? now : seconds
    return { seconds: now, ...(await store.countInheriting(db, team.id, asked, clock.now())) }
  }

  /** @param seconds null: for ever. @throws GridError invalid for less than an hour. */
  async function setTeamTimeToLive(
    actor: Actor,
    { team: slug, seconds }: { team: string; seconds: number | null },
  ): Promise<TeamTimeToLive> {
    const team = await access.allowed(actor, 'team:settings', teams.teamGuard(slug))
    if (seconds !== null && (seconds < secondsMin || seconds > secondsMax))
      throw new GridError('invalid', 'Artifacts are kept for an hour at least, and a hundred years at most.')
    await db.transaction().execute(async (trx) => {
      await store.setTeamTtl(trx, team.id, seconds)
      const details = { artifactsKeptSeconds: seconds }
      await record(trx, actor, 'team:settings', { teamId: team.id, kind: 'team', id: team.id, details })
    })
    events.publish({ type: 'team.changed', teamId: team.id })
    return teamTimeToLive(actor, { team: slug })
  }

  return { teamTimeToLive, setTeamTimeToLive }
}

/** Seconds after its commit at which a version is deleted; null: never. */
export function keptSeconds({ ttlSeconds, teamTtlSeconds }: StoredArtifact): number | null {
  return (ttlSeconds ?? teamTtlSeconds) || null
}
