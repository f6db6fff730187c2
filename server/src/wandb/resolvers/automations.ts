/** Rules and channels of alerts as the client's automations and integrations. */
import { type AlertChannel, type AlertRule, GridError } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import type { Alerts } from '../../alerts/service.ts'
import { eventFrom, eventOf } from '../automation-words.ts'
import type { Artifacts, StoredCollection } from '../../artifacts/service.ts'
import type { Resolvers } from '../graphql.ts'
import { parseObject, readStorageId, storageId } from '../words.ts'
import { readId } from './artifact-nodes.ts'
import { type PageArguments, pageOf } from './connections.ts'
import { type EntityNode, entityOf, type Places, type ProjectNode, readable } from './places.ts'

type Trigger = { rule: AlertRule; team: string }
type Channel = AlertChannel & { team: string; url?: string | null }

type TriggerInput = {
  name?: string | null
  description?: string | null
  enabled?: boolean | null
  scopeType?: string | null
  scopeID?: string | null
  triggeringEventType?: string | null
  eventFilter?: string | null
  triggeredActionType?: string | null
  triggeredActionConfig?: {
    notificationActionInput?: {
      integrationID: string
      title?: string | null
      message?: string | null
      severity?: 'INFO' | 'WARN' | 'ERROR' | null
    } | null
    genericWebhookActionInput?: { integrationID: string; requestPayload?: string | null } | null
  } | null
}

const levels = { INFO: 'info', WARN: 'warn', ERROR: 'error' } as const
/** The client's automations have no wait time. */
const waitSeconds = 24 * 60 * 60

export function automationResolvers({
  alerts,
  artifacts,
  places,
}: {
  alerts: Alerts
  artifacts: Artifacts
  places: Places
}): Resolvers {
  /** Rules of a team that the client has words for, as everybody in it sees them. */
  async function triggersOf(actor: Actor, team: string, project?: string): Promise<Trigger[]> {
    const rules = (await readable(alerts.rules.list(actor, team))) ?? []
    return rules
      .filter((rule) => rule.reach === 'team' && eventOf(rule) !== undefined)
      .filter((rule) => project === undefined || rule.project === project)
      .map((rule) => ({ rule, team }))
  }

  async function channelsOf(actor: Actor, team: string): Promise<Channel[]> {
    const channels = (await readable(alerts.channels.list(actor, team))) ?? []
    return channels.filter(({ kind }) => kind !== 'email').map((channel) => ({ ...channel, team }))
  }

  async function scopeOf(
    actor: Actor,
    type: string,
    id: string,
  ): Promise<{ team: string; project: string | null; collection: string | null }> {
    if (type === 'ARTIFACT_COLLECTION') {
      const known = readId('ArtifactCollection', id)
      const collection = known && (await artifacts.findCollectionById(actor, known))
      if (!collection) throw new GridError('not_found', 'There is no collection with this id')
      if (collection.inRegistry)
        throw new GridError('invalid', 'Automations belong to teams; registries belong to the organisation')
      return { team: collection.teamSlug, project: collection.projectName, collection: collection.name }
    }
    const uuid = readStorageId(type === 'PROJECT' ? 'Project' : 'Entity', id)
    const found = uuid && (await alerts.rules.placeOf(type === 'PROJECT' ? 'project' : 'team', uuid))
    const seen = found && (await readable(alerts.rules.list(actor, found.team)))
    if (!found || !seen) throw new GridError('not_found', 'There is no scope with this id')
    return { ...found, collection: null }
  }

  /** The rule's id and its team, if the actor may see it. */
  async function ruleOf(actor: Actor, id: string): Promise<Trigger> {
    const uuid = readStorageId('Trigger', id)
    const place = uuid && (await alerts.rules.placeOf('rule', uuid))
    const rules = place ? await readable(alerts.rules.list(actor, place.team)) : undefined
    const rule = rules?.find((each) => each.id === uuid)
    if (!rule || !place) throw new GridError('not_found', 'There is no automation with this id')
    return { rule, team: place.team }
  }

  function actionFrom({ triggeredActionType: type, triggeredActionConfig: config }: TriggerInput) {
    if (type === 'NO_OP') return { channelIds: [], payload: null }
    if (type === 'NOTIFICATION' && config?.notificationActionInput) {
      const { integrationID, title, message, severity } = config.notificationActionInput
      return {
        channelIds: [channelId(integrationID)],
        title: title || null,
        message: message || null,
        level: levels[severity ?? 'INFO'],
        payload: null,
      }
    }
    if (type === 'GENERIC_WEBHOOK' && config?.genericWebhookActionInput) {
      const { integrationID, requestPayload } = config.genericWebhookActionInput
      return {
        channelIds: [channelId(integrationID)],
        payload: requestPayload ? parseObject(requestPayload, 'requestPayload') : null,
      }
    }
    throw new GridError('invalid', `This server does not offer the action ${type}`)
  }

  return {
    Mutation: {
      async createFilterTrigger(_: unknown, { input }: { input: TriggerInput }, { actor }) {
        const { team, project, collection } = await scopeOf(actor, input.scopeType!, input.scopeID!)
        const rules = (await readable(alerts.rules.list(actor, team))) ?? []
        if (rules.some(({ name, reach }) => reach === 'team' && name === input.name))
          throw new GridError('conflict', `There is an automation ${input.name} already`)
        const rule = await alerts.rules.create(actor, team, {
          name: input.name!,
          description: input.description ?? '',
          enabled: input.enabled ?? true,
          project,
          ...eventFrom(input.triggeringEventType!, input.eventFilter!, collection),
          level: 'warn',
          title: null,
          message: null,
          ...actionFrom(input),
          audience: 'nobody',
          waitSeconds,
          reach: 'team',
        })
        return { trigger: { rule, team } }
      },
      async updateFilterTrigger(_: unknown, { input }: { input: TriggerInput & { id: string } }, { actor }) {
        const { rule, team } = await ruleOf(actor, input.id)
        const scope =
          input.scopeID && input.scopeType ? await scopeOf(actor, input.scopeType, input.scopeID) : undefined
        if (scope && scope.team !== team) throw new GridError('invalid', 'An automation stays in its team')
        const changed = await alerts.rules.change(actor, team, rule.id, {
          ...(input.name == null ? {} : { name: input.name }),
          ...(input.description == null ? {} : { description: input.description }),
          ...(input.enabled == null ? {} : { enabled: input.enabled }),
          ...(scope ? { project: scope.project } : {}),
          ...(input.triggeringEventType && input.eventFilter
            ? eventFrom(
                input.triggeringEventType,
                input.eventFilter,
                scope ? scope.collection : collectionOf(rule),
              )
            : {}),
          ...(input.triggeredActionType ? actionFrom(input) : {}),
        })
        return { trigger: { rule: changed, team } }
      },
      async deleteTrigger(_: unknown, { input }: { input: { triggerID: string } }, { actor }) {
        const { rule, team } = await ruleOf(actor, input.triggerID)
        await alerts.rules.remove(actor, team, rule.id)
        return { success: true }
      },
      async createGenericWebhookIntegration(
        _: unknown,
        { input }: { input: { entityName: string; name: string; urlEndpoint: string } },
        { actor },
      ) {
        const team = entityOf(actor, input.entityName)
        const made = await alerts.channels.create(actor, team, {
          name: input.name,
          kind: 'webhook',
          target: input.urlEndpoint,
        })
        return { integration: { ...made, team, url: input.urlEndpoint } }
      },
    },
    Entity: {
      triggers: async ({ slug }: EntityNode, args: PageArguments & { filters?: string }, { actor }) => {
        const name = args.filters ? parseObject(args.filters, 'filters')['name'] : undefined
        const all = await triggersOf(actor, slug)
        return pageOf(
          all.filter(({ rule }) => typeof name !== 'string' || rule.name === name),
          args,
        )
      },
      integrations: async ({ slug }: EntityNode, page: PageArguments, { actor }) =>
        pageOf(await channelsOf(actor, slug), page),
    },
    Project: {
      triggers: ({ teamSlug, name }: ProjectNode, _: unknown, { actor }) => triggersOf(actor, teamSlug, name),
    },
    Organization: { triggers: (_: unknown, page: PageArguments) => pageOf([], page) },
    Trigger: {
      id: ({ rule }: Trigger) => storageId('Trigger', rule.id),
      createdAt: ({ rule }: Trigger) => rule.createdAt,
      updatedAt: ({ rule }: Trigger) => rule.updatedAt,
      name: ({ rule }: Trigger) => rule.name,
      description: ({ rule }: Trigger) => rule.description,
      enabled: ({ rule }: Trigger) => rule.enabled,
      scope: async ({ rule, team }: Trigger, _: unknown, { actor }) => {
        const collection = collectionOf(rule)
        const project = rule.project === null ? null : await places.findProject(actor, team, rule.project)
        if (project && collection !== null) {
          const found = await artifacts.findCollection(actor, project as never, collection)
          if (found) return found
        }
        return rule.project === null ? places.findEntity(actor, team) : project
      },
      triggeringCondition: ({ rule }: Trigger) => eventOf(rule),
      async triggeredAction({ rule, team }: Trigger, _: unknown, { actor }) {
        const [channel] = (await channelsOf(actor, team)).filter(({ id }) => rule.channelIds.includes(id))
        return { rule, channel }
      },
    },
    TriggerScope: {
      __resolveType: (scope: EntityNode | ProjectNode | StoredCollection) => {
        if ('keptById' in scope && 'inRegistry' in scope)
          return scope.kind === 'sequence' ? 'ArtifactSequence' : 'ArtifactPortfolio'
        return 'teamSlug' in scope ? 'Project' : 'Entity'
      },
    },
    TriggeringCondition: { __resolveType: () => 'FilterEventTriggeringCondition' },
    TriggeredAction: {
      __resolveType: ({ channel }: { channel?: Channel }) =>
        channel === undefined
          ? 'NoOpTriggeredAction'
          : channel.kind === 'slack'
            ? 'NotificationTriggeredAction'
            : 'GenericWebhookTriggeredAction',
    },
    Integration: {
      __resolveType: ({ kind }: Channel) =>
        kind === 'slack' ? 'SlackIntegration' : 'GenericWebhookIntegration',
    },
    NotificationTriggeredAction: {
      integration: ({ channel }: { channel: Channel }) => channel,
      title: ({ rule }: { rule: AlertRule }) => rule.title,
      message: ({ rule }: { rule: AlertRule }) => rule.message,
      severity: ({ rule }: { rule: AlertRule }) => rule.level.toUpperCase(),
    },
    GenericWebhookTriggeredAction: {
      integration: ({ channel }: { channel: Channel }) => channel,
      requestPayload: ({ rule }: { rule: AlertRule }) => rule.payload && JSON.stringify(rule.payload),
    },
    NoOpTriggeredAction: { noOp: () => true },
    SlackIntegration: {
      id: ({ id }: Channel) => storageId('Integration', id),
      teamName: ({ team }: Channel) => team,
      channelName: ({ name }: Channel) => name,
    },
    GenericWebhookIntegration: {
      id: ({ id }: Channel) => storageId('Integration', id),
      // The address is a password to whoever runs it: only its maker's answer has it whole.
      urlEndpoint: ({ url, hint }: Channel) => url ?? hint,
    },
    GitHubOAuthIntegration: {},
    QueueJobTriggeredAction: {},
    ARIATriggeredAction: {},
    PushNotificationTriggeredAction: {},
  }
}

function collectionOf({ condition }: AlertRule): string | null {
  return condition.kind === 'artifact' ? condition.collection : null
}

function channelId(given: string): string {
  const id = readStorageId('Integration', given)
  if (!id) throw new GridError('not_found', 'There is no integration with this id')
  return id
}
