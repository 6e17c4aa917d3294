import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadGates } from '../../../src/cli/audit/gates-file.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const folder = temporaryFolder('gates');

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('a list of gates is YAML or JSON', () => {
  const gate = { id: 'fidelity.*.quadratic_weighted_kappa', slice: 'all', at_least: 0.7, at_most: null };
  expect(loadGates(write('a.yaml', `- {id: ${gate.id}, at_least: 0.7}\n`))).toEqual([gate]);
  expect(loadGates(write('a.json', JSON.stringify([gate])))).toEqual([gate]);
});

test('every problem is named with its path and line', () => {
  const path = write(
    'bad.yaml',
    [
      '- {id: a.b.c.d, at_least: 0.7, at_most: 0.9}',
      '- {id: a.b.c.e, at_leats: 0.7}',
      '- {id: a.b.c.f}',
      '- {at_most: high}',
    ].join('\n'),
  );
  const { problems } = errorOf(path);
  expect(problems.map(({ field, message }) => `${field}: ${message}`).sort()).toEqual([
    '0: expected one of at_least and at_most; found both (line 1)',
    '1.at_leats: unknown field. Did you mean "at_least"? (line 2)',
    '2: expected one of at_least and at_most; found neither (line 3)',
    '3.at_most: expected a number; found "high" (line 4)',
    '3.id: missing; expected a string',
  ]);
});

test('an empty list, and a file that is none, are refused', () => {
  expect(errorOf(write('empty.yaml', '[]')).message).toContain('expected at least 1 entries; found []');
  expect(errorOf(write('spec.yaml', 'gates: []')).message).toContain('expected an array; found {"gates":[]}');
  expect(errorOf(join(folder, 'none.yaml')).message).toContain('no such file; expected a list of gates');
});

function errorOf(path: string): { message: string; problems: { field: string; message: string }[] } {
  try {
    loadGates(path);
  } catch (error) {
    return error as ReturnType<typeof errorOf>;
  }
  throw new Error('expected an error');
}
