import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped } from 'graphql'
import type { Resolvers } from '../graphql.ts'

/** The scalars of the client's schema. `JSONString` keeps text as it is: what is in it is read where it is used. */
export const scalars: Resolvers = {
  JSON: new GraphQLScalarType({
    name: 'JSON',
    parseValue: (value) => value,
    parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
  }),
  JSONString: text('JSONString'),
  DateTime: new GraphQLScalarType({
    name: 'DateTime',
    serialize: (value) => (value instanceof Date ? value.toISOString() : String(value)),
    parseValue: String,
  }),
  Int64: wholeNumber('Int64'),
  Duration: wholeNumber('Duration'),
}

function text(name: string): GraphQLScalarType {
  const read = (value: unknown): string => {
    // Old clients send some of these as objects; as text they mean the same.
    return typeof value === 'string' ? value : JSON.stringify(value)
  }
  return new GraphQLScalarType({
    name,
    serialize: read,
    parseValue: read,
    parseLiteral: (node, variables) => read(valueFromASTUntyped(node, variables)),
  })
}

function wholeNumber(name: string): GraphQLScalarType {
  const read = (value: unknown): number => {
    const number = typeof value === 'string' && value !== '' ? Number(value) : value
    if (typeof number !== 'number' || !Number.isFinite(number)) {
      throw new GraphQLError(`${name} is a whole number, not ${JSON.stringify(value)}`)
    }
    return Math.trunc(number)
  }
  return new GraphQLScalarType({
    name,
    serialize: read,
    parseValue: read,
    parseLiteral(node) {
      if (node.kind !== Kind.INT && node.kind !== Kind.FLOAT && node.kind !== Kind.STRING) {
        throw new GraphQLError(`${name} is a whole number`, { nodes: node })
      }
      return read(node.value)
    },
  })
}
