import { describe, expect, test } from 'vitest'
import { displayWidth, fold, shown, shownLogLine } from './text.ts'

describe('text of other people at my terminal', () => {
  test('a name cannot move the cursor, clear the screen or set the title', () => {
    expect(shown('good\u001b[2J\u001b[Hbad')).toBe('goodbad')
    expect(shown('a\u001b]0;title\u0007b')).toBe('ab')
    expect(shown('a\u009b2Jb')).toBe('a\ufffd2Jb')
    expect(shown('two\nlines\tand\rback')).toBe('two lines and back')
  })

  test('a log line keeps its colours, and they end with the line', () => {
    expect(shownLogLine('\u001b[31mred\u001b[0m \u001b[2Kdone', true)).toBe(
      '\u001b[31mred\u001b[0m done\u001b[0m',
    )
    expect(shownLogLine('\u001b[31mred', false)).toBe('red')
  })

  test('a NUL in a log line does not steal the colour that follows', () => {
    expect(shownLogLine('a\u0000b\u001b[31mc', true)).not.toContain('\u0000')
    expect(shownLogLine('a\u0000b', true)).toBe('ab')
  })

  test('width counts cells: wide letters two, accents none', () => {
    expect(displayWidth('abc')).toBe(3)
    expect(displayWidth('数据')).toBe(4)
    expect(displayWidth('e\u0301')).toBe(1)
    expect(displayWidth('🎉')).toBe(2)
  })

  test('folding breaks at spaces, else anywhere, and loses nothing', () => {
    expect(fold('brave-lynx-101', 8)).toEqual(['brave-ly', 'nx-101'])
    expect(fold('python train.py --lr 0.1', 12)).toEqual(['python', 'train.py', '--lr 0.1'])
    expect(fold('数据数据', 5)).toEqual(['数据', '数据'])
    expect(fold('short', 8)).toEqual(['short'])
    expect(fold('', 8)).toEqual([''])
  })
})
