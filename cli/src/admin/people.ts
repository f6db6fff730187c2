import type { Command } from 'commander'
import { type ApiKey, GridError, type User } from '@teamgrid/api'
import type { Io } from '../io.ts'
import type { Column } from '../table.ts'
import { minute } from '../time.ts'
import { adminCommand, passwordOf } from './command.ts'

/** Items of a list that the server gives at once. */
export const pageMax = 500

export function addUserCommands(admin: Command, io: Io): void {
  const user = admin.command('user').description('People of the organisation.')
  adminCommand<{
    name?: string
    password?: string
    passwordStdin?: boolean
    apiKey?: string
    admin?: boolean
  }>(user, io, {
    name: 'create',
    description: 'Make a person. Without a password they set one through a link of reset-password.',
    fields: ['username', 'email'],
    options: [
      ['--name <name>', 'display name'],
      ['--password <password>', 'first password'],
      ['--password-stdin', 'read the password from standard input'],
      ['--api-key <key>', 'bring a key of 40 characters 0-9 a-z'],
      ['--admin', 'make them an admin of the organisation'],
    ],
    run: async ({ client, json, printJson, done }, { username, email }, options) => {
      const password = await passwordOf(io, options)
      const made = await client.users.create({
        username: username!,
        email: email!,
        admin: Boolean(options.admin),
        ...(options.name === undefined ? {} : { name: options.name }),
        ...(password === undefined ? {} : { password }),
        ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
      })
      done(`Made ${made.username}`)
      if (json) printJson(userJson(made))
    },
  })
  adminCommand<{ search?: string }>(user, io, {
    name: 'list',
    description: 'Everybody.',
    fields: [],
    options: [['--search <text>', 'only whose name or e-mail holds this']],
    run: async ({ client, printRows }, _fields, { search }) => {
      const rows: User[] = []
      for (let cursor: string | undefined; ;) {
        const page = await client.users.list({
          limit: pageMax,
          ...(cursor ? { cursor } : {}),
          ...(search === undefined ? {} : { search }),
        })
        rows.push(...page.items)
        if (page.nextCursor === null) break
        cursor = page.nextCursor
      }
      printRows({ columns: userColumns, rows, json: userJson, empty: 'None.' })
    },
  })
  for (const [name, disabled, description] of [
    ['disable', true, 'End every access of a person at once; what they made stays.'],
    ['enable', false, 'Let a disabled person in again.'],
  ] as const) {
    adminCommand(user, io, {
      name,
      description,
      fields: ['username'],
      run: async ({ client, json, printJson, done }, { username }) => {
        const changed = await client.users.change({ username: username!, disabled })
        done(`${disabled ? 'Disabled' : 'Enabled'} ${changed.username}`)
        if (json) printJson(userJson(changed))
      },
    })
  }
  adminCommand<{ password?: string; passwordStdin?: boolean }>(user, io, {
    name: 'reset-password',
    description: 'Print a link that sets a new password, or set it here.',
    fields: ['username'],
    options: [
      ['--password <password>', 'set this one instead of making a link'],
      ['--password-stdin', 'read the new password from standard input'],
    ],
    run: async ({ client, json, printJson, done, say }, { username }, options) => {
      const password = await passwordOf(io, options)
      if (password !== undefined) {
        const changed = await client.users.change({ username: username!, password })
        done(`Set a new password for ${changed.username}`)
        if (json) printJson(userJson(changed))
        return
      }
      const reset = await client.users.resetPassword({ username: username! })
      say(reset.url)
      done(`Works once, until ${minute(reset.expiresAt)}`)
      if (json) printJson({ username, url: reset.url, expires_at: reset.expiresAt })
    },
  })
  adminCommand<{ remove?: boolean }>(user, io, {
    name: 'set-admin',
    description: 'Make a person an admin of the organisation.',
    fields: ['username'],
    options: [['--remove', 'make them an ordinary member again']],
    run: async ({ client, json, printJson, done }, { username }, { remove }) => {
      const organisationRole = remove ? 'member' : 'admin'
      const changed = await client.users.change({ username: username!, organisationRole })
      done(`${changed.username} is now ${remove ? 'an ordinary member' : 'an admin'} of the organisation`)
      if (json) printJson(userJson(changed))
    },
  })
}

export function addKeyCommands(admin: Command, io: Io): void {
  const key = admin.command('key').description('API keys of people and service accounts.')
  adminCommand<{ name?: string; apiKey?: string }>(key, io, {
    name: 'create',
    description: 'Make a key; it is printed once and never again.',
    fields: ['username'],
    options: [
      ['--name <name>', 'what it is for'],
      ['--api-key <key>', 'bring a key of 40 characters 0-9 a-z'],
    ],
    run: async ({ client, json, printJson, say }, { username }, { name, apiKey }) => {
      const made = await client.users.createKey({
        username: username!,
        ...(name === undefined ? {} : { name }),
        ...(apiKey === undefined ? {} : { apiKey }),
      })
      say(made.secret)
      if (json) printJson({ ...keyJson(made), username, secret: made.secret })
    },
  })
  adminCommand(key, io, {
    name: 'list',
    description: 'Keys of somebody, by their last characters.',
    fields: ['username'],
    run: async ({ client, printRows }, { username }) => {
      const rows = await client.users.keys({ username: username! })
      printRows({ columns: keyColumns, rows, json: keyJson, empty: 'None.' })
    },
  })
  adminCommand(key, io, {
    name: 'revoke',
    description: 'Revoke a key, named by its id or its last characters.',
    fields: ['username', 'key'],
    run: async ({ client, json, printJson, done }, { username, key: named }) => {
      const keys = await client.users.keys({ username: username! })
      const found = keys.filter((one) => one.id === named || one.hint === named)
      if (found.length > 1) throw new GridError('conflict', `Several keys end in ${named}; give the id`)
      if (!found[0]) throw new GridError('not_found', `${username} has no key ${named}`)
      await client.users.revokeKey({ username: username!, keyId: found[0].id })
      done(`Revoked ${found[0].name} (…${found[0].hint}) of ${username}`)
      if (json) printJson({ ...keyJson(found[0]), username, revoked: true })
    },
  })
}

const userColumns: Column<User>[] = [
  { title: 'Username', cell: (user) => user.username },
  { title: 'Name', cell: (user) => user.name },
  { title: 'Email', cell: (user) => user.email ?? '-' },
  { title: 'Kind', cell: (user) => user.kind },
  { title: 'Organisation Role', cell: (user) => user.organisationRole },
  { title: 'Disabled', cell: (user) => (user.disabled ? 'yes' : '-') },
  { title: 'Created At', cell: (user) => minute(user.createdAt) },
]

const keyColumns: Column<ApiKey>[] = [
  { title: 'Name', cell: (key) => key.name },
  { title: 'Key', cell: (key) => `…${key.hint}` },
  { title: 'Created At', cell: (key) => minute(key.createdAt) },
  { title: 'Last Used At', cell: (key) => (key.lastUsedAt === null ? '-' : minute(key.lastUsedAt)) },
  { title: 'Id', cell: (key) => key.id },
]

function userJson(user: User): Record<string, unknown> {
  return {
    username: user.username,
    name: user.name,
    email: user.email,
    kind: user.kind,
    organisation_role: user.organisationRole,
    disabled: user.disabled,
    created_at: user.createdAt,
    id: user.id,
  }
}

export function keyJson(key: ApiKey): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    hint: key.hint,
    created_at: key.createdAt,
    last_used_at: key.lastUsedAt,
  }
}
