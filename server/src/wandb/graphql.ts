/**
 * Parses, validates, bounds and executes the client's documents. `graphql` does the work; ours are the limits, the
 * cache of documents and the answers: a refusal is HTTP 200 with `errors`, because the client repeats every 5xx up to
 * twenty times before it says anything. Only trouble that passes gets a status on which it shall repeat.
 */
import {
  buildASTSchema,
  type DocumentNode,
  execute,
  type FieldNode,
  GraphQLError,
  type GraphQLFieldResolver,
  GraphQLInterfaceType,
  GraphQLObjectType,
  GraphQLScalarType,
  type GraphQLSchema,
  GraphQLUnionType,
  Kind,
  NoUnusedVariablesRule,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  Source,
  specifiedRules,
  validate,
  valueFromASTUntyped,
} from 'graphql'
import type { Actor } from '../actor.ts'
import { answerOf, bugSentence, isTransient, type Log } from './errors.ts'

/** What every resolver gets as its third argument. */
export type WandbContext = {
  actor: Actor
  /** The caller is one of several processes that write one run (`mode="shared"`). */
  shared: boolean
  /** What the client calls the operation. */
  operationName?: string | undefined
}

// Parents differ by type and arguments are checked by the schema, so a resolver declares narrower ones at its place.
// oxlint-disable-next-line typescript/no-explicit-any
export type Resolver = (parent: any, args: any, context: WandbContext) => unknown
export type Resolvers = Record<string, Record<string, Resolver> | GraphQLScalarType>

export type GraphQLRequest = {
  query: string
  variables?: Record<string, unknown>
  operationName?: string | null
}
export type GraphQLAnswer = { status: number; headers: Record<string, string>; body: object }

const limits = {
  /** The longest document of the client has about 6 kB; its variables may be large, the document not. */
  documentBytes: 100_000,
  tokens: 5000,
  /** Selections within selections and fragments; the client's deepest document has 14. */
  depth: 30,
  /** Values that a request may yield when every list is as long as asked: 10 000 files of an artifact × 20 fields. */
  cost: 1_000_000,
  /** All clients together carry some 250 documents. Longer ones are parsed each time, so that memory has a bound. */
  cachedDocuments: 400,
  cachedDocumentBytes: 16_000,
}

/** One schema from several SDL files, with a resolver on every field that has one. @throws Error on a name that does not exist */
export function createSchema(sources: string[], resolvers: Resolvers[]): GraphQLSchema {
  const definitions = sources.flatMap((source) => parse(source).definitions)
  const schema = buildASTSchema({ kind: Kind.DOCUMENT, definitions })
  for (const map of resolvers)
    for (const [typeName, fields] of Object.entries(map)) attach(schema, typeName, fields)
  return schema
}

function attach(schema: GraphQLSchema, typeName: string, fields: Resolvers[string]): void {
  const type = schema.getType(typeName)
  if (fields instanceof GraphQLScalarType) {
    if (!(type instanceof GraphQLScalarType)) throw new Error(`No scalar ${typeName} in the schema`)
    Object.assign(type, {
      serialize: fields.serialize,
      parseValue: fields.parseValue,
      parseLiteral: fields.parseLiteral,
    })
    return
  }
  for (const [name, resolver] of Object.entries(fields)) {
    if (name === '__resolveType') {
      if (!(type instanceof GraphQLInterfaceType || type instanceof GraphQLUnionType)) {
        throw new Error(`${typeName} is neither an interface nor a union`)
      }
      type.resolveType = (value, context) => resolver(value, {}, context) as string
      continue
    }
    const field = type instanceof GraphQLObjectType ? type.getFields()[name] : undefined
    if (!field) throw new Error(`No field ${typeName}.${name} in the schema`)
    field.resolve = resolver as GraphQLFieldResolver<unknown, unknown>
  }
}

export type Executor = (request: GraphQLRequest, context: WandbContext) => Promise<GraphQLAnswer>

/**
 * @param log gets bugs, with the id that the client is shown.
 * @returns an executor that never throws for what a client sends; its answer has the status and headers to send.
 */
export function createExecutor(schema: GraphQLSchema, log: Log): Executor {
  const documents = createDocumentCache(schema)
  return async (request, context) => {
    const prepared = documents.prepare(request.query)
    if ('errors' in prepared) return answer(200, { errors: prepared.errors.map(plain) })
    const operation = operationOf(prepared.document, request.operationName)
    if (!operation) return refuse('The document holds no such operation')
    const variables = request.variables ?? {}
    const tooMuch = boundsOf(prepared.document, operation, variables)
    if (tooMuch) return refuse(tooMuch)
    const result = await execute({
      schema,
      // Only the first operation of a document is meant when none is named.
      document: { ...prepared.document, definitions: onlyOperation(prepared.document, operation) },
      contextValue: { ...context, operationName: operation.name?.value } satisfies WandbContext,
      variableValues: variables,
    })
    if (!result.errors?.length) return answer(200, { data: result.data })
    return failed(result.errors, result.data, operation, log)
  }
}

function failed(
  errors: readonly GraphQLError[],
  data: unknown,
  operation: OperationDefinitionNode,
  log: Log,
): GraphQLAnswer {
  const seen = errors.map((error) => ({ error, known: answerOf(error.originalError) }))
  const passing = seen.find(({ known }) => known && isTransient(known.status))?.known
  const status = passing ?? refusedAloud(errors, operation)
  const shown = seen.map(({ error, known }) => {
    const cause = error.originalError
    // Without a cause it is a message of `graphql` itself, about the request.
    const aboutRequest = !cause || cause instanceof GraphQLError
    const message = known?.message ?? (aboutRequest ? error.message : bugSentence(cause, log))
    return { message, path: error.path }
  })
  return {
    status: status?.status ?? 200,
    headers: status?.headers ?? {},
    body: { errors: shown, data: data ?? null },
  }
}

/**
 * Operations for which the client documents what it does with a status. `init` shows the text of a 4xx as it is and
 * ends; a heartbeat takes 404 for "the sweep was deleted", and any other refusal for passing trouble.
 */
const spokenStatuses: Record<string, (status: number) => boolean> = {
  upsertBucket: () => true,
  agentHeartbeat: (status) => status === 404,
}

function refusedAloud(errors: readonly GraphQLError[], operation: OperationDefinitionNode) {
  const [first] = errors
  const field = operation.selectionSet.selections.find(
    (selection): selection is FieldNode =>
      selection.kind === Kind.FIELD && Object.hasOwn(spokenStatuses, selection.name.value),
  )
  const answered = field && first?.path?.length === 1 ? answerOf(first.originalError) : undefined
  return answered && spokenStatuses[field!.name.value]!(answered.status) ? answered : undefined
}

function refuse(message: string): GraphQLAnswer {
  return answer(200, { errors: [{ message }] })
}

function answer(status: number, body: object): GraphQLAnswer {
  return { status, headers: {}, body }
}

function plain(error: GraphQLError): object {
  return { message: error.message, locations: error.locations }
}

type Prepared = { document: DocumentNode } | { errors: readonly GraphQLError[] }

/** Clients send the same few dozen documents over and over; parsing and validating one costs a millisecond. */
function createDocumentCache(schema: GraphQLSchema): { prepare(query: string): Prepared } {
  const cached = new Map<string, Prepared>()
  // A client may declare a variable that it does not use; that is its matter.
  const rules = specifiedRules.filter((rule) => rule !== NoUnusedVariablesRule)
  const read = (query: string): Prepared => {
    if (Buffer.byteLength(query) > limits.documentBytes) {
      return { errors: [new GraphQLError(`A document may have ${limits.documentBytes} bytes at most`)] }
    }
    let document: DocumentNode
    try {
      document = parse(new Source(query), { maxTokens: limits.tokens })
    } catch (error) {
      return { errors: [error instanceof GraphQLError ? error : new GraphQLError(String(error))] }
    }
    const errors = validate(schema, document, rules, { maxErrors: 20 })
    return errors.length ? { errors } : { document }
  }
  return {
    prepare(query) {
      const known = cached.get(query)
      if (known) {
        // Moved to the end, so that the first is always the one not asked for the longest.
        cached.delete(query)
        cached.set(query, known)
        return known
      }
      const prepared = read(query)
      if ('document' in prepared && query.length <= limits.cachedDocumentBytes) {
        cached.set(query, prepared)
        if (cached.size > limits.cachedDocuments) cached.delete(cached.keys().next().value!)
      }
      return prepared
    },
  }
}

function operationsOf(document: DocumentNode): OperationDefinitionNode[] {
  return document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
}

function operationOf(
  document: DocumentNode,
  name: string | null | undefined,
): OperationDefinitionNode | undefined {
  const operations = operationsOf(document)
  return name ? operations.find((operation) => operation.name?.value === name) : operations[0]
}

function onlyOperation(document: DocumentNode, operation: OperationDefinitionNode) {
  return document.definitions.filter(
    (definition) => definition.kind !== Kind.OPERATION_DEFINITION || definition === operation,
  )
}

/** A sentence when the operation is deeper or wider than the limits, counting each list as long as it was asked. */
function boundsOf(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): string | undefined {
  const fragments = new Map(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION
        ? [[definition.name.value, definition.selectionSet] as const]
        : [],
    ),
  )
  let cost = 0
  // `times` is how often this selection is resolved. Stops at the limit, so a bomb of fragments costs no more than it.
  const walk = (selections: SelectionSetNode, depth: number, times: number): string | undefined => {
    if (depth > limits.depth) return `A document may be ${limits.depth} levels deep at most`
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value)
        const refusal = fragment && walk(fragment, depth + 1, times)
        if (refusal) return refusal
        continue
      }
      let inner = times
      if (selection.kind === Kind.FIELD) {
        inner *= lengthAsked(selection, variables)
        cost += inner
        if (cost > limits.cost) return 'The document asks for too much at once; ask for smaller pages'
      }
      const refusal = selection.selectionSet && walk(selection.selectionSet, depth + 1, inner)
      if (refusal) return refusal
    }
    return undefined
  }
  return walk(operation.selectionSet, 1, 1)
}

const lengthArguments = ['first', 'last', 'samples']

/** How many items a field was asked for; 1 for a field that is no list, or whose length has a default. */
function lengthAsked(field: FieldNode, variables: Record<string, unknown>): number {
  const length = field.arguments?.find((argument) => lengthArguments.includes(argument.name.value))
  return length ? Math.max(1, Number(valueFromASTUntyped(length.value, variables)) || 1) : 1
}
