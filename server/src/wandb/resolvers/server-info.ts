import { storageId } from '../words.ts'
import type { Resolvers } from '../graphql.ts'

/**
 * What this server can do beyond the oldest protocol; a name that is absent is off.
 * Off on purpose: EXPAND_DEFINED_METRIC_GLOBS (the client expands).
 */
const features = [
  'STRUCTURED_CONSOLE_LOGS',
  'FILESTREAM_GZIP',
  'LARGE_FILENAMES',
  'ARTIFACT_TAGS',
  'CLIENT_IDS',
  'USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION',
  'ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID',
  'ARTIFACT_COLLECTION_MEMBERSHIP_FILES',
  'ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER',
  'PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP',
  'TOTAL_COUNT_IN_FILE_CONNECTION',
  'ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE',
  'MARK_RUN_FILES_UPLOADED',
  'SWEEPS_LOCAL_SCHEDULER',
  'SWEEPS_QUERY_FILTERING',
  'ARTIFACT_COLLECTIONS_FILTERING_SORTING',
  'ARTIFACT_DIGEST_ALGORITHM',
  'ARTIFACT_REGISTRY_SEARCH',
  'INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION',
  'QUERY_AUTOMATIONS_ON_ENTITY',
  'AUTOMATION_SCOPE_ENTITY',
  'AUTOMATION_EVENT_RUN_METRIC',
  'AUTOMATION_EVENT_RUN_METRIC_CHANGE',
  'AUTOMATION_EVENT_RUN_METRIC_ZSCORE',
  'AUTOMATION_EVENT_RUN_STATE',
  'AUTOMATION_ACTION_NO_OP',
]

/** Both must be version strings: `wandb verify` ends on null, and image lists need a high maximum. */
const cliVersionInfo = { min_cli_version: '0.10.0', max_cli_version: '0.99.0' }

export function serverInfo(): Resolvers {
  return {
    Query: {
      serverInfo: () => ({
        cliVersionInfo,
        // There is no other place to compare with, so nothing is ever out of date.
        latestLocalVersionInfo: null,
        features: features.map((name) => ({ name, isEnabled: true })),
      }),
      serverSettings: () => ({ serverMessages: [] }),
      organization: (_: unknown, { name }: { name: string }) => ({ name }),
    },
    Organization: {
      id: ({ name }: { name: string }) => storageId('Organization', name),
      // Registries live under the organisation's entity; there are none.
      orgEntity: () => null,
      coreWeaveOrganizationId: () => null,
      featureFlags: () => [],
    },
  }
}
