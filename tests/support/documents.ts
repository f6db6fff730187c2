/** GraphQL documents made from the schema itself, so that a new field is asked for the day it is there. */
import {
  getNamedType,
  type GraphQLInputType,
  type GraphQLObjectType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'

/** What arguments get, by their name. */
export type Arguments = Record<string, string>

/** A value for an argument: what is known under its name, else something of its type. `id` stands for every other ID. */
export function literalOf(type: GraphQLInputType, name: string, known: Arguments): string | undefined {
  if (isNonNullType(type)) return literalOf(type.ofType, name, known)
  if (isListType(type)) {
    const one = literalOf(type.ofType, name, known)
    return one && `[${one}]`
  }
  if (isEnumType(type)) return type.getValues()[0]!.name
  if (isInputObjectType(type)) {
    const given = Object.values(type.getFields()).map((each) => [
      each.name,
      literalOf(each.type, each.name, known),
    ])
    return `{ ${given
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}: ${value}`)
      .join(', ')} }`
  }
  if (known[name] !== undefined) return JSON.stringify(known[name])
  switch (type.name) {
    case 'Int':
    case 'Int64':
    case 'Float':
    case 'Duration':
      return '1'
    case 'Boolean':
      return 'false'
    case 'JSONString':
      return '"{}"'
    case 'ID':
      return JSON.stringify(known['id'])
    case 'String':
      return '"x"'
    default:
      return undefined
  }
}

/**
 * Every way through the schema that comes to no type twice, each as one document that selects what has no parts at its
 * end.
 * @param argsOf the arguments of a field, with their brackets; empty for none.
 */
export function* waysThrough(
  root: GraphQLObjectType,
  argsOf: (field: string, given: readonly (readonly [string, GraphQLInputType])[]) => string,
  depthMax: number,
): Generator<{ path: string[]; document: string }> {
  yield* from(root, [], [], [root.name])

  function* from(
    parent: GraphQLObjectType,
    path: string[],
    calls: string[],
    seen: string[],
  ): Generator<{ path: string[]; document: string }> {
    const fields = Object.values(parent.getFields())
    const call = (field: (typeof fields)[number]) =>
      field.name +
      argsOf(
        field.name,
        field.args.map((arg) => [arg.name, arg.type] as const),
      )
    const leaves = fields.filter(({ type }) => !isObjectType(getNamedType(type)) && isPlain(type))
    if (leaves.length > 0)
      yield {
        path,
        document: [...calls, leaves.map(call).join(' ')].join(' { ') + ' }'.repeat(calls.length),
      }
    if (path.length === depthMax) return
    for (const field of fields) {
      const type = getNamedType(field.type)
      if (!isObjectType(type) || seen.includes(type.name)) continue
      yield* from(type, [...path, field.name], [...calls, call(field)], [...seen, type.name])
    }
  }

  function isPlain(type: Parameters<typeof getNamedType>[0]): boolean {
    const named = getNamedType(type)
    return named !== undefined && named !== null && !('getFields' in named) && !('getTypes' in named)
  }
}
