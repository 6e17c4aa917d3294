import { expect, it } from 'vitest';
import { figure, fixed, level, listed, pointText, recordText } from '../../src/report/figures.ts';
import { record } from './audit-fixture.ts';

it('writes each unit as people do', () => {
  expect(figure(0.8621, 'share')).toBe('86.2%');
  expect(figure(-0.0213, 'difference')).toBe('−2.1 points');
  expect(figure(0.05, 'difference')).toBe('+5.0 points');
  expect(figure(0.8621, 'kappa')).toBe('0.862');
  expect(figure(-0.08, 'score')).toBe('−0.08');
  expect(figure(512.94, 'rate')).toBe('512.9/s');
  expect(figure(5.56, 'ratio')).toBe('5.6×');
});

it('never writes a zero with a sign', () => {
  expect(fixed(-0.0004, 2)).toBe('0.00');
  expect(figure(-0.0001, 'difference')).toBe('0.0 points');
  expect(figure(0.0001, 'difference')).toBe('0.0 points');
});

it('writes a record with its interval and n, and leaves out what was not computed', () => {
  const found = record('truth.judge.reasoned.accuracy', 0.82, 0.04, 1200);
  expect(recordText(found, 'share')).toBe('82.0% (78.0% to 86.0%), n 1,200');
  expect(recordText({ ...found, low: null, high: null }, 'share')).toBe('82.0%, n 1,200');
  expect(pointText(record(found.id, null, 0, 0), 'share')).toBe('not computable (n 0)');
  expect(recordText(null, 'share')).toBe('not measured');
});

it('writes a level of confidence without digits that say nothing', () => {
  expect([0.95, 0.9875, 1 - 0.05 / 9].map(level)).toEqual(['95%', '98.75%', '99.44%']);
});

it('lists words as a sentence does', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listed)).toEqual(['', 'a', 'a and b', 'a, b and c']);
});
