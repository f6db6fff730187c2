/** Every GraphQL document inside the installed clients either fits the schema, or belongs to a feature not built yet. */
import { NoUnusedVariablesRule, parse, specifiedRules, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { type WandbDeps, wandbSchema } from '../../server/src/wandb/index.ts'
import { part } from '../support/parts.ts'
import { type EnvironmentName, venv } from '../support/python.ts'
import { clientDocuments } from './documents.ts'

const versions: EnvironmentName[] = [
  'wandb-latest',
  'wandb-0.28.2',
  'wandb-0.25.1',
  'wandb-0.22.3',
  'wandb-0.22.0',
]
const pythons = await Promise.all(
  versions.map(async (name) => [name, await part(name, () => venv(name))] as const),
)

// Nothing is asked, so nobody has to answer.
const schema = wandbSchema({} as WandbDeps)
const rules = specifiedRules.filter((rule) => rule !== NoUnusedVariablesRule)

/** Logging, resuming, files, alerts, and reading a run back: none of these may ever fail to validate. */
const promised = [
  'Viewer',
  'ServerFeaturesQuery',
  'OrganizationCoreWeaveOrganizationID',
  'UpsertBucket',
  'RunResumeStatus',
  'CreateRunFiles',
  'NotifyScriptableRunAlert',
  'RewindRun',
  'CreateArtifact',
  'CreateArtifactFiles',
  'CreateArtifactManifest',
  'CommitArtifact',
  'ClientIDMapping',
  'UseArtifact',
  'ArtifactType',
]

/** By words in their names: launch. */
const later = /LaunchAgent|RunQueue|ResourceConfig/i

describe.each(pythons)('%s', (_name, python) => {
  test.skipIf(!python)('documents fit', async () => {
    const documents = await clientDocuments(python!)
    expect(documents.length).toBeGreaterThan(60)
    const trouble = documents.flatMap(({ name, text, from }) => {
      const errors = validate(schema, parse(text), rules).map((error) => error.message)
      return errors.length ? [{ name, from, errors }] : []
    })
    const names = new Set(documents.map(({ name }) => name))
    expect(promised.filter((name) => !names.has(name))).toEqual([])
    expect(trouble.filter(({ name }) => promised.includes(name))).toEqual([])
    expect(trouble.filter(({ name }) => !later.test(name))).toEqual([])
  })
})
