import { GridError } from '@teamgrid/api'

const segment = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,199}$/
/** S3's own limit, in bytes; keys are ASCII. */
const keyLengthMax = 1024

/**
 * Guards every use of a key: segments of letters, digits and `.` `_` `=` `-`, none of them beginning with a dot, so no
 * key leaves the store's folder or hides in it.
 *
 * @throws GridError invalid
 */
export function checkKey(key: string): void {
  if (key.length <= keyLengthMax && key.split('/').every((each) => segment.test(each))) return
  throw new GridError('invalid', `${JSON.stringify(key.slice(0, 100))} is not a key of the blob store.`)
}

/** A prefix is the beginning of a key, and may end anywhere. @throws GridError invalid */
export function checkPrefix(prefix: string): void {
  if (prefix === '') return
  checkKey(prefix.endsWith('/') ? `${prefix}x` : prefix)
}

/** Both ends included. @throws GridError invalid, when the range names no byte of something `sizeBytes` long. */
export function checkRange(range: { start: number; end: number }, sizeBytes: number): void {
  const { start, end } = range
  if (
    Number.isSafeInteger(start) &&
    Number.isSafeInteger(end) &&
    start >= 0 &&
    start <= end &&
    start < sizeBytes
  )
    return
  throw new GridError('invalid', `There are no bytes ${start} to ${end} in a file of ${sizeBytes} bytes.`)
}

/** A part that arrived with another size than was said. */
export function wrongSize(sizeBytes: number): GridError {
  return new GridError('invalid', `This part was to have ${sizeBytes} bytes, and has not`)
}
