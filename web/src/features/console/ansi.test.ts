import { expect, test } from 'vitest'
import { parseAnsi, plainText } from './ansi.ts'

test('plain text is one piece', () => {
  expect(parseAnsi('epoch 3 loss 0.1')).toEqual([{ text: 'epoch 3 loss 0.1' }])
})

test('colours begin and end where the sequences say', () => {
  expect(parseAnsi('a \u001b[31mred\u001b[0m b \u001b[1;92mgood\u001b[22m still green')).toEqual([
    { text: 'a ' },
    { text: 'red', colour: 1 },
    { text: ' b ' },
    { text: 'good', bold: true, colour: 10 },
    { text: ' still green', colour: 10 },
  ])
})

test('256 and true colours are read, and what follows them is not taken for a colour', () => {
  expect(parseAnsi('\u001b[38;5;196;1mx')).toEqual([{ text: 'x', colour: 'rgb(255 0 0)', bold: true }])
  expect(parseAnsi('\u001b[48;2;1;2;300mx')).toEqual([{ text: 'x', background: 'rgb(1 2 255)' }])
})

test('cursor movement, titles and broken sequences leave only text', () => {
  expect(plainText('\u001b[2K\u001b[1A\u001b]0;title\u0007done\u001b[')).toBe('done[')
  expect(plainText('10%\r50%\r100%')).toBe('100%')
  expect(plainText('bell\u0007')).toBe('bell')
})

test('markup stays text', () => {
  expect(parseAnsi('<img src=x onerror=alert(1)>')).toEqual([{ text: '<img src=x onerror=alert(1)>' }])
})
