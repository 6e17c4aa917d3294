import { expect, test } from 'vitest';
import { plainDeep, plainJson, plainText } from '../src/plain-text.ts';

test.each([
  ['colours and cursor moves', '\u001b[31mred\u001b[0m\u001b[2J\u001b[1;1H', 'red'],
  ['the title of the window', '\u001b]0;owned\u0007done', 'done'],
  ['the clipboard', '\u001b]52;c;cm0gLXJm\u0007x', 'x'],
  ['a link that shows another address', '\u001b]8;;http://evil\u001b\\good\u001b]8;;\u001b\\', 'good'],
  ['sequences of one byte', 'a\u009b31mb', 'ab'],
  ['carriage returns, backspaces and bells', 'Score: 9\rScore: 0\b\u0007', 'Score: 9Score: 0'],
  ['marks that reverse the text', 'Score: \u202e9 ton\u202c', 'Score: 9 ton'],
])('takes out %s', (_, text, plain) => {
  expect(plainText(text)).toBe(plain);
});

test('keeps lines, tabs, accents, signs and pictures', () => {
  const text = 'x²\t≤ 3\nZürich 東京 🙂';
  expect(plainText(text)).toBe(text);
});

test('keeps JSON whole, and what it means, without a raw control character', () => {
  const value = { text: 'a\u009b31mb\u202ec\u001b' };
  const json = plainJson(value);
  expect(JSON.parse(json)).toEqual(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point.
  expect(json).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
});

test('cleans every string in a value', () => {
  expect(plainDeep({ a: ['\u001b[1mb'], n: 1, none: null })).toEqual({ a: ['b'], n: 1, none: null });
});
