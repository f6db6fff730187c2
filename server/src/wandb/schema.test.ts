import { readFileSync } from 'node:fs'
import { GraphQLObjectType, GraphQLScalarType, Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import type { StoredExperiment } from '../experiments/types.ts'
import { type WandbDeps, wandbParts, wandbSchema } from './index.ts'
import type { ProjectNode, UserNode } from './resolvers/places.ts'
import type { RunFileNode } from './resolvers/files.ts'

// Nothing is asked here, so nobody has to answer.
const deps = {} as WandbDeps

const from =
  <Node>() =>
  (...fields: (keyof Node & string)[]): string[] =>
    fields

/** Fields that a parent object carries under the same name. Types of answers that a resolver makes whole have none. */
const carried: Record<string, string[]> = {
  User: from<UserNode>()('name', 'username'),
  Project: from<ProjectNode>()('name', 'description', 'createdAt'),
  Run: from<StoredExperiment>()(
    'notes',
    'state',
    'commit',
    'group',
    'jobType',
    'host',
    'tags',
    'sweepName',
    'createdAt',
    'updatedAt',
    'heartbeatAt',
  ),
  File: [...from<RunFileNode>()('name'), 'uploadUrl'],
  Organization: ['name'],
}

/** Types whose objects a resolver makes whole; what they carry is checked where they are made. */
const madeWhole =
  /(Connection|Edge|Payload|PageInfo|Info|ServerFeature|ServerSettings|ServerMessage|Member|Role|ApiKey|RampFeatureFlag|ParquetHistory|LogLine)$/

/** What this file is about: artifacts.graphql has tests of its own. */
const { definitions } = parse(readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'))
const objectTypes = definitions.flatMap((definition) =>
  definition.kind === Kind.OBJECT_TYPE_DEFINITION
    ? [{ name: definition.name.value, fields: definition.fields?.map(({ name }) => name.value) ?? [] }]
    : [],
)

test('every field is answered: by a resolver, or by the object it is asked of', () => {
  const { resolvers } = wandbParts(deps)
  const trouble = objectTypes
    .filter((type) => !madeWhole.test(type.name))
    .flatMap((type) =>
      type.fields
        .filter((field) => {
          const isResolved = resolvers.some((map) => {
            const fields = map[type.name]
            return fields && !(fields instanceof GraphQLScalarType) && Object.hasOwn(fields, field)
          })
          return isResolved === (carried[type.name] ?? []).includes(field)
        })
        .map((field) => `${type.name}.${field}`),
    )
  expect(trouble).toEqual([])
})

test('types and fields that older clients probe exist', () => {
  const schema = wandbSchema(deps)
  for (const name of [
    'Query',
    'Mutation',
    'ServerInfo',
    'ServerSettings',
    'Organization',
    'Project',
    'Run',
  ]) {
    expect(schema.getType(name), name).toBeInstanceOf(GraphQLObjectType)
  }
  const fieldsOf = (name: string) => Object.keys((schema.getType(name) as GraphQLObjectType).getFields())
  expect(fieldsOf('Mutation')).toContain('createRunFiles')
  expect(fieldsOf('ServerInfo')).toEqual(expect.arrayContaining(['cliVersionInfo', 'latestLocalVersionInfo']))
  expect(fieldsOf('Organization')).toContain('orgEntity')
  expect(fieldsOf('Project')).toContain('internalId')
  expect(fieldsOf('Run')).toContain('projectId')
  expect(fieldsOf('DeleteFilesInput')).toContain('projectId')
})
