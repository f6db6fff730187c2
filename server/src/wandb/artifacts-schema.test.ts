import { readFileSync } from 'node:fs'
import { GraphQLInputObjectType, GraphQLObjectType, GraphQLScalarType, Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import type { StoredArtifact, StoredCollection } from '../artifacts/service.ts'
import { type WandbDeps, wandbParts, wandbSchema } from './index.ts'
import type { AliasNode, MembershipNode, TypeNode } from './resolvers/artifact-nodes.ts'

// Nothing is asked here, so nobody has to answer.
const deps = { artifacts: {} } as WandbDeps
const schema = wandbSchema(deps)
const { resolvers } = wandbParts(deps)

const from =
  <Node>() =>
  (...fields: (keyof Node & string)[]): string[] =>
    fields

const collection = from<StoredCollection>()('name', 'description', 'createdAt', 'updatedAt')

/** Fields that a parent object carries under the same name. */
const carried: Record<string, string[]> = {
  Artifact: from<StoredArtifact>()(
    'versionIndex',
    'digest',
    'description',
    'historyStep',
    'fileCount',
    'createdAt',
  ),
  ArtifactSequence: collection,
  ArtifactPortfolio: collection,
  ArtifactCollectionMembership: from<MembershipNode>()('artifact', 'versionIndex', 'createdAt'),
  ArtifactType: from<TypeNode>()('name', 'createdAt'),
  ArtifactAlias: from<AliasNode>()('alias'),
}

/** Types whose objects a resolver makes whole. */
const madeWhole =
  /(Connection|Edge|Payload)$|^(Tag|ClientIDMapping|ArtifactManifest|UploadMultipartUrls|UploadUrlPart|File|ProjectMember|ProjectTeamMember|AdvancedRegistryFeatures)$/

const { definitions } = parse(readFileSync(new URL('artifacts.graphql', import.meta.url), 'utf8'))

test('every field is answered: by a resolver, or by the object it is asked of', () => {
  const trouble: string[] = []
  for (const definition of definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.OBJECT_TYPE_EXTENSION)
      continue
    const type = definition.name.value
    if (madeWhole.test(type)) continue
    for (const { name } of definition.fields ?? []) {
      const isResolved = resolvers.some((map) => {
        const fields = map[type]
        return fields && !(fields instanceof GraphQLScalarType) && Object.hasOwn(fields, name.value)
      })
      if (isResolved === (carried[type] ?? []).includes(name.value)) trouble.push(`${type}.${name.value}`)
    }
  }
  expect(trouble).toEqual([])
})

test('what older clients probe before they send it is there', () => {
  const fieldsOf = (name: string) => {
    const type = schema.getType(name)
    if (!(type instanceof GraphQLInputObjectType || type instanceof GraphQLObjectType))
      throw new Error(`No ${name}`)
    return Object.keys(type.getFields())
  }
  expect(fieldsOf('Artifact')).toEqual(
    expect.arrayContaining([
      'tags',
      'ttlIsInherited',
      'ttlDurationSeconds',
      'historyStep',
      'filesByManifestEntries',
    ]),
  )
  expect(fieldsOf('CreateArtifactInput')).toEqual(
    expect.arrayContaining([
      'tags',
      'historyStep',
      'distributedID',
      'clientID',
      'sequenceClientID',
      'enableDigestDeduplication',
      'ttlDurationSeconds',
    ]),
  )
  expect(fieldsOf('CreateArtifactFileSpecInput')).toContain('uploadPartsInput')
  expect(fieldsOf('UseArtifactInput')).toContain('usedAs')
  expect(fieldsOf('AddAliasesInput')).toContain('aliases')
  const project = schema.getType('Project') as GraphQLObjectType
  expect(project.getFields().artifact?.args.map(({ name }) => name)).toContain('enableTracking')
})
