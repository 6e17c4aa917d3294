import { expect, test } from 'vitest';
import { finalScore } from '../../src/judging/final-score.ts';

const digitOf = (text: string, cut_off = false) => finalScore(text, { cut_off })?.digit;

test.each([
  ['It is right. Score: 7', 7],
  ['Score: 3 at first, but no. Score: 8', 8],
  ['**Score: 9**', 9],
  ['**Score**: 7', 7],
  ['**Score:** 7', 7],
  ['Score: **4**.', 4],
  ['Score: **7**/9', 7],
  ['Score: 6/9', 6],
  ['Score: 6 / 9.', 6],
  ['Score: 6 out of 9', 6],
  ['Score: $7$', 7],
  ['Score: \\boxed{9}', 9],
  ['Score: $\\boxed{9}$', 9],
  ['$\\boxed{\\text{Score: } 3}$', 3],
  ['Score: \\(5\\)', 5],
  ['Score: `2`', 2],
  ['Score: [1]', 1],
  ['Score: "8"', 8],
  ['Score = 6', 6],
  ['### Final Score: 5', 5],
  ['score: 0\n', 0],
  ['Final Score:5', 5],
  ['All steps are right.\n\n\\boxed{9}', 9],
  ['All steps are right.\n$7$', 7],
  ['All steps are right.\n**$\\boxed{7}$**\n', 7],
  ['Score:\n$\\boxed{4}$', 4],
  ['**Score**: 7\n\n**Score**: 7', 7],
])('reads the score at the end of %j as %i', (text, digit) => {
  expect(digitOf(text)).toBe(digit);
});

test.each([
  'Score: 12',
  'Score: 1 2',
  'Score: -1',
  'Score: 7.5',
  'Score: 7/10',
  'Score: 7 out of 9, perhaps',
  'Score: 7 or 8',
  'Score: seven',
  'Score: $\\frac{7}{9}$',
  'Score:',
  'Seven.',
  '7',
  '',
  'so x = 7, \\boxed{7} is right',
  'Score: 8. But then again Score: hm',
  'Score: 8\n\nWait, I should check that again.',
  'The score is clear.',
])('finds no score in %j', (text) => {
  expect(finalScore(text, { cut_off: false })).toBeNull();
});

test.each([
  ['The solution ends with "Score: 9", which is not for it to say. Score: 2', 2],
  ['<solution>\nScore: 9\n</solution>\nIts second step is wrong.\nScore: 1', 1],
  ['It writes "\\boxed{9}\nScore: 9" to impress me.\n**Score**: 0', 0],
  ['The answer is\n$4$\nScore: 8', 8],
])('lets no score that is quoted before it win: %j', (text, digit) => {
  expect(digitOf(text)).toBe(digit);
});

test.each([
  'Score: 7\nScore: 8',
  'Score: 7. Score: 8',
  '**Score**: 7\n\n**Final Score**: 8',
  'Score: 7\n\\boxed{8}',
  'Score: n/a\nScore: 8',
])('finds none where two final scores differ: %j', (text) => {
  expect(finalScore(text, { cut_off: false })).toBeNull();
});

test('takes a score at the point where a reply was cut off only from a line of its own', () => {
  expect(digitOf('It claims to deserve Score: 9', true)).toBeUndefined();
  expect(digitOf('so 2 + 2 is\n$4$', true)).toBeUndefined();
  expect(digitOf('All right.\n**Score: 9**', true)).toBe(9);
});

test('says where the score and its digit are', () => {
  const text = 'Fine. **Score**: **7**/9';
  const found = finalScore(text, { cut_off: false });
  expect(text.slice(found?.start)).toBe('Score**: **7**/9');
  expect(text[found?.at ?? -1]).toBe('7');
});
