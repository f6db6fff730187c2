import { expect, test } from 'vitest'
import { memoryIo } from '../test-io.ts'
import { fieldsOf, passwordOf } from './command.ts'
import { dataFolder } from './operator.ts'
import { overridesOf } from '../team-words.ts'

const by = (values: Record<string, string>) => (name: string) => values[name]

test('fields may be given in order, by name, or both', () => {
  const expected = { team: 'vision', username: 'bob' }
  expect(fieldsOf(['team', 'username'], ['vision', 'bob'], by({}))).toEqual(expected)
  expect(fieldsOf(['team', 'username'], [], by(expected))).toEqual(expected)
  expect(fieldsOf(['team', 'username'], ['bob'], by({ team: 'vision' }))).toEqual(expected)
})

test('a missing field is named, an optional one may be missing, one too many is refused', () => {
  expect(() => fieldsOf(['team', 'username'], ['vision'], by({}))).toThrow('The username is missing')
  expect(fieldsOf(['team', 'role?'], ['vision'], by({}))).toEqual({ team: 'vision' })
  expect(() => fieldsOf(['team'], ['bob'], by({ team: 'vision' }))).toThrow('"bob" is one value too many')
})

test('a password may come through standard input, without its line end', async () => {
  const io = memoryIo({ input: 'correct horse \n' })
  expect(await passwordOf(io, { passwordStdin: true })).toBe('correct horse ')
  expect(await passwordOf(io, { password: 'x' })).toBe('x')
  expect(await passwordOf(io, {})).toBeUndefined()
  await expect(passwordOf(io, { password: 'x', passwordStdin: true })).rejects.toThrow('not both')
  await expect(passwordOf(memoryIo(), { passwordStdin: true })).rejects.toThrow('no password')
})

test('switches are on, off, or a word', () => {
  expect(overridesOf(['members_stop_runs=off', 'session_jupyter=owner', 'a=TRUE'])).toEqual({
    members_stop_runs: false,
    session_jupyter: 'owner',
    a: true,
  })
  expect(() => overridesOf(['members_stop_runs'])).toThrow('is not switch=value')
})

test('the data directory is the server’s: root keeps it where services do', () => {
  expect(dataFolder({ env: {}, home: '/home/ada' }, false)).toBe('/home/ada/.teamgrid')
  expect(dataFolder({ env: {}, home: '/root' }, true)).toBe('/var/lib/teamgrid')
  expect(dataFolder({ env: { TEAMGRID_DATA: '~/x' }, home: '/home/ada' }, false)).toBe('/home/ada/x')
  expect(dataFolder({ env: { TEAMGRID_DATA: '/srv/x' }, home: '/home/ada' }, false)).toBe('/srv/x')
})
