import { expect, test } from 'vitest'
import { changedFacts, configFacts, durationSeconds, summaryFacts } from './facts.ts'

const values = (facts: ReturnType<typeof configFacts>) =>
  Object.fromEntries(
    [...facts.values()].map(({ key, number, text }) => [key, number === null ? text : number]),
  )

test('a config is searched as the script set it, without the client’s wrapping and notes', () => {
  const config = {
    lr: { value: 0.1, desc: null },
    opt: { value: { name: 'adam', betas: [0.9, 0.99] } },
    none: { value: null },
    bare: 3,
    bad: { value: 'NaN' },
    _wandb: { value: { t: {} } },
  }
  expect(values(configFacts(config))).toEqual({
    'config.lr': 0.1,
    'config.opt.name': 'adam',
    'config.opt.betas': '[0.9,0.99]',
    'config.bare': 3,
    'config.bad': 'NaN',
  })
})

test('truth values are found as words and as numbers; media by their kind', () => {
  const facts = summaryFacts({ ok: true, img: { _type: 'image-file', path: 'x' }, _wandb: { runtime: 1 } })
  expect([...facts.values()]).toEqual([
    { key: 'summary.ok', number: 1, text: 'true' },
    { key: 'summary.img', number: null, text: 'image-file' },
  ])
})

test('only what changed is written, and what is gone is taken away', () => {
  const before = summaryFacts({ same: 1, changed: 1, kind: 1, gone: 'x' })
  const after = summaryFacts({ same: 1, changed: 2, kind: '1', fresh: true })
  const { facts, removedKeys } = changedFacts(before, after)
  expect(facts.map((fact) => fact.key)).toEqual(['summary.changed', 'summary.kind', 'summary.fresh'])
  expect(removedKeys).toEqual(['summary.gone'])
  expect(changedFacts(after, after)).toEqual({ facts: [], removedKeys: [] })
})

test('very long keys and texts are cut for searching and never refused', () => {
  const facts = summaryFacts({ ['k'.repeat(2000)]: 1, text: 'x'.repeat(10_000) })
  expect([...facts.values()]).toEqual([{ key: 'summary.text', number: null, text: 'x'.repeat(4000) }])
})

test('an experiment lasts until it ended, or spoke last', () => {
  const createdAt = new Date(0)
  const heartbeatAt = new Date(5000)
  expect(durationSeconds({ createdAt, heartbeatAt, endedAt: null })).toBe(5)
  expect(durationSeconds({ createdAt, heartbeatAt, endedAt: new Date(7500) })).toBe(7.5)
})
