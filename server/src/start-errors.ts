/** Turns what commonly goes wrong while a server starts into one sentence a person can act on. */
import { GridError } from '@teamgrid/api'

/**
 * @param error what reading or writing below `path` threw.
 * @param path what the person knows it as, usually the data directory.
 * @returns a GridError with a sentence, or the error itself when it is none of the expected ones.
 */
export function fileSentence(error: unknown, path: string): unknown {
  const cause = error
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
      return new GridError('unavailable', `The data directory ${path} is not writable for this user.`, {
        hint: 'Give this user the directory, or choose another with TEAMGRID_DATA.',
        cause,
      })
    case 'EROFS':
      return new GridError('unavailable', `The data directory ${path} is on a read-only file system.`, {
        hint: 'Choose another with TEAMGRID_DATA.',
        cause,
      })
    case 'ENOTDIR':
    case 'EEXIST':
      return new GridError('unavailable', `The data directory ${path} is not a directory.`, {
        hint: 'Choose another with TEAMGRID_DATA.',
        cause,
      })
    case 'ENOENT':
    case 'ENAMETOOLONG':
      return new GridError('unavailable', `The data directory ${path} cannot be made.`, {
        hint: 'Choose another with TEAMGRID_DATA.',
        cause,
      })
    case 'ENOSPC':
    case 'EDQUOT':
      return new GridError('storage_full', `The disk of the data directory ${path} is full.`, {
        hint: 'Free some space and start again; nothing that was stored is lost.',
        cause,
      })
    default:
      return error
  }
}

/**
 * @param error what listening on `host` and `port` threw.
 * @returns a GridError with a sentence, or the error itself when it is none of the expected ones.
 */
export function listenSentence(error: unknown, { host, port }: { host: string; port: number }): unknown {
  const cause = error
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new GridError('unavailable', `Port ${port} is taken by another program.`, {
        hint: 'Stop that program, or choose another port with TEAMGRID_PORT.',
        cause,
      })
    case 'EACCES':
    case 'EPERM':
      return new GridError('unavailable', `This user may not listen on port ${port}.`, {
        hint: 'Ports below 1024 belong to root; choose another with TEAMGRID_PORT.',
        cause,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return new GridError('unavailable', `This machine has no address "${host}" to listen on.`, {
        hint: 'Set TEAMGRID_HOST to 0.0.0.0 (everyone) or 127.0.0.1 (only this machine).',
        cause,
      })
    default:
      return error
  }
}
