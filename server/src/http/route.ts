import { contract } from '@teamgrid/api'
import { implement } from '@orpc/server'
import type { Actor } from '../actor.ts'

/** The contract, to be filled in by each slice's `routes.ts`; every handler is told who asks. */
export const os = implement(contract).$context<{ actor: Actor }>()
