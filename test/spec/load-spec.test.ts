import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSpec, SpecError } from '../../src/spec/load-spec.ts';

const text = `
run: a-run
task: {name: poly_easy}
policy: {model: p}
judge:
  model: j
  rubric: r
base: {model: b}
grpo:
  steps: 3
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gavel-spec-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const errorOf = (path: string): SpecError => {
  try {
    loadSpec(path);
  } catch (error) {
    if (error instanceof SpecError) return error;
    throw error;
  }
  throw new Error('expected a SpecError');
};

describe('loadSpec', () => {
  it('reads YAML, and lets the command line replace the run', () => {
    expect(loadSpec(write('a.yaml', text), { run: 'other' })).toMatchObject({ run: 'other', grpo: { steps: 3 } });
  });

  it('reads JSON too', () => {
    const path = write(
      'a.json',
      JSON.stringify({
        run: 'x',
        task: { name: 'poly_easy' },
        policy: { model: 'p' },
        judge: { model: 'j', rubric: 'r' },
        base: { model: 'b' },
      }),
    );
    expect(loadSpec(path).run).toBe('x');
  });

  it('names field and line of a bad value', () => {
    const { problems } = errorOf(write('a.yaml', text.replace('steps: 3', 'steps: many')));
    expect(problems).toEqual([{ field: 'grpo.steps', message: 'expected a number; found "many" (line 10)' }]);
  });

  it('says where the YAML itself is broken', () => {
    expect(errorOf(write('a.yaml', 'run: [')).message).toContain('not valid YAML');
  });

  it('says that there is no such file', () => {
    expect(errorOf(join(folder, 'absent.yaml')).message).toContain('no such file');
  });
});
