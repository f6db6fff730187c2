/** What the engine complains about, in the words of the product. */
import { GridError } from '@teamgrid/api'

/** Source: ClickHouse src/Common/ErrorCodes.cpp. */
const notEnoughSpace = '243'
const cannotCompileRegexp = '427'
const overload = new Set(['202', '241', '252'])

/** Trouble while writing: nothing that was sent is to blame, it was checked before; so the sender may try again. */
export function writingTrouble(error: unknown): GridError {
  const known = knownTrouble(error)
  return (
    known ?? new GridError('unavailable', 'The metric store does not answer; try again.', { cause: error })
  )
}

/** Trouble while reading. What the engine says about our SQL is a bug of ours and stays what it is. */
export function readingTrouble(error: unknown): unknown {
  const known = knownTrouble(error)
  if (known !== undefined) return known
  if (codeOf(error) !== undefined) return error
  return new GridError('unavailable', 'The metric store does not answer; try again.', { cause: error })
}

function knownTrouble(error: unknown): GridError | undefined {
  if (error instanceof GridError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = codeOf(error) ?? ''
  if (code === notEnoughSpace || /ENOSPC|EDQUOT|No space left on device|errno: 28\b/.test(message))
    return new GridError('storage_full', undefined, { cause: error })
  if (code === cannotCompileRegexp)
    return new GridError('invalid', 'This regular expression cannot be understood.', {
      hint: 'It is read as RE2, which has no look-around and no back-references.',
      cause: error,
    })
  if (overload.has(code))
    return new GridError('overloaded', 'The metric store has too much to do right now.', {
      retryAfterSeconds: 2,
      cause: error,
    })
  return undefined
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { clickhouseCode, code, message } = error as {
    clickhouseCode?: unknown
    code?: unknown
    message?: unknown
  }
  if (typeof clickhouseCode === 'number') return `${clickhouseCode}`
  if (typeof code === 'string' && /^\d+$/.test(code)) return code
  return typeof message === 'string' ? /Code: (\d+)\./.exec(message)?.[1] : undefined
}
