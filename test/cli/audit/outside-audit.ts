import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Behaviour, FakeJudge } from '../../gateway/fake-judge.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

/** An empty folder outside of any root, with rows and a rubric in it: what a person who audits begins with. */

const RUBRIC = fileURLToPath(new URL('../../../examples/rubrics/poly-easy.yaml', import.meta.url));

export interface Place {
  folder: string;
  /** The folder is no root, and no root is near. */
  env: Record<string, string>;
  data: string;
  rubric: string;
  write(name: string, content: string): string;
  /** A program that takes the place of Python; $3 is the folder of the audit. */
  program(name: string, script: string): string;
  read(name: string): string;
}

/** `prompts` prompts with two completions each; every other one is right. */
export function placeWith(prompts: number): Place {
  const folder = temporaryFolder('audit');
  const root = join(folder, 'no-root');
  mkdirSync(root);
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const rows = Array.from({ length: 2 * prompts }, (_, at) => ({
    id: `row-${at}`,
    prompt: `What is ${at >> 1} + 1?`,
    completion: `It is ${(at >> 1) + 1 + (at % 2)}. (${at})`,
    is_correct: at % 2 === 0,
    fields: { parity: (at >> 1) % 2 === 0 ? 'even' : 'odd' },
  }));
  return {
    folder,
    env: { GAVEL_ROOT: root, XDG_STATE_HOME: join(folder, 'state'), NO_COLOR: '1' },
    data: write('rows.jsonl', `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`),
    rubric: write('rubric.yaml', readFileSync(RUBRIC, 'utf8')),
    write,
    program: (name, script) => {
      const path = write(name, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o700);
      return path;
    },
    read: (name) => readFileSync(join(folder, name), 'utf8'),
  };
}

/** A model that knows the right answers, but is wrong about one prompt in `wrong_every`. */
export async function model(
  wrong_every: number,
  more: Partial<Extract<Behaviour, { text: string }>> = {},
): Promise<FakeJudge> {
  return new FakeJudge(({ body }) => {
    const at = Number(/\((\d+)\)/.exec(JSON.stringify(body.messages))?.[1] ?? 0);
    const right = (at % 2 === 0) !== ((at >> 1) % wrong_every === 0);
    const score = right ? 9 - (at % 3) : 1 + (at % 3);
    return { text: body.max_tokens === 1 ? `${score}` : `I think so. Score: ${score}`, ...more };
  }).start();
}
