/**
 * Sensible variables for any GraphQL document of the client: where a variable stands tells what it should name. A world
 * names real things, so that resolvers below the roots are reached too.
 */
import {
  type DocumentNode,
  getNamedType,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  typeFromAST,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'

/**
 * What stands behind a place such as `Project.run.name`, `UpsertModelInput.name`, or just an argument's name. Functions
 * are called for a value that is new each time.
 */
export type World = Record<string, unknown>

/**
 * @returns a value for every variable that the document demands, and the places of those that are made up, because the
 *   world says nothing there: what they name does not exist.
 */
export function variablesFor(
  schema: GraphQLSchema,
  document: DocumentNode,
  world: World,
): { variables: Record<string, unknown>; guessed: string[] } {
  const places = placesOf(schema, document)
  const guessed: string[] = []
  const variables: Record<string, unknown> = {}
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue
    for (const { variable, type } of definition.variableDefinitions ?? []) {
      const name = variable.name.value
      const given = typeFromAST(schema, type as never) as unknown as GraphQLInputType
      const value = valueFor(given, [...(places.get(name) ?? []), name], world, guessed)
      if (value !== undefined) variables[name] = value
    }
  }
  return { variables, guessed }
}

/** Where each variable stands: `Type.field.argument` or `InputType.field`. */
function placesOf(schema: GraphQLSchema, document: DocumentNode): Map<string, string[]> {
  const places = new Map<string, string[]>()
  const info = new TypeInfo(schema)
  const fields: string[] = []
  // Arguments and fields of inputs that are open, innermost last.
  const holders: string[] = []
  const holder = {
    enter: (node: { name: { value: string } }) => void holders.push(node.name.value),
    leave: () => void holders.pop(),
  }
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: {
        enter: (node) => void fields.push(`${info.getParentType()?.name}.${node.name.value}`),
        leave: () => void fields.pop(),
      },
      Argument: holder,
      ObjectField: holder,
      Variable(node, key) {
        if (key === 'variable') return
        const parent = holders.length > 1 ? getNamedType(info.getParentInputType())?.name : fields.at(-1)
        const place = `${parent}.${holders.at(-1)}`
        places.set(node.name.value, [...(places.get(node.name.value) ?? []), place])
      },
    }),
  )
  return places
}

function valueFor(type: GraphQLInputType, places: string[], world: World, guessed: string[]): unknown {
  const isNeeded = isNonNullType(type)
  // The whole place, or else only its last word.
  const known = [...places, ...places.map((place) => place.split('.').at(-1)!)].find((place) =>
    Object.hasOwn(world, place),
  )
  if (known !== undefined && !(isNeeded && world[known] === null)) {
    const said = world[known]
    const value: unknown = typeof said === 'function' ? said() : said
    if (isList(type)) return value === null || Array.isArray(value) ? value : [value]
    return Array.isArray(value) ? value[0] : value
  }
  const inner = isNeeded ? type.ofType : type
  if (isListType(inner)) {
    if (!isNeeded) return undefined
    return [valueFor(inner.ofType, places, world, guessed)]
  }
  if (isEnumType(inner)) return inner.getValues()[0]!.name
  if (isInputObjectType(inner)) {
    const fields = Object.values(inner.getFields()).map(
      (field) => [field.name, valueFor(field.type, [`${inner.name}.${field.name}`], world, guessed)] as const,
    )
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
  }
  if (!isNeeded) return undefined
  switch (inner.name) {
    case 'Boolean':
      return true
    case 'Int':
    case 'Int64':
    case 'Float':
    case 'Duration':
      return 10
    default:
      guessed.push(places[0]!)
      return inner.name === 'JSONString' ? '{}' : 'x'
  }
}

const isList = (type: GraphQLInputType): boolean => isListType(isNonNullType(type) ? type.ofType : type)
