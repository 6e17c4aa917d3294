import { expect, test } from 'vitest';
import { z } from 'zod';
import { schemaNames } from '../../tools/schema-names.ts';

test('an exported schema is named by its export, a nested one by its place, described or not', () => {
  const Part = z.object({ n: z.int() });
  const Whole = z.object({
    part: Part.describe('A part.'),
    far_away: z.array(z.object({ deep: z.object({}).nullable() })).default([]),
  });
  const names = [...schemaNames([{ Whole, Part, notASchema: 1 }]).values()];
  expect(names.sort()).toEqual(['Part', 'Whole', 'WholeFarAway', 'WholeFarAwayDeep']);
});

test('two schemas of one name are refused, since one of them would be told apart by a number', () => {
  const modules = [{ Grade: z.object({}) }, { Grade: z.object({}) }];
  expect(() => schemaNames(modules)).toThrow('Expected one schema named Grade, got two');
});
