import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { GradingMode } from '../../contracts/mode.ts';
import { modes } from '../../judging/modes/registry.ts';
import type { Subject } from '../../judging/subject.ts';
import { type CheckOptions, usage } from './options.ts';

/** What is asked about, and where it came from. */
export type Shown = Subject & { opponent: string | null; source: string };

/** A mode that judges one completion is shown no other. */
export const fitting = (mode: GradingMode, subject: Shown): Shown =>
  modes[mode].pairs ? subject : { ...subject, opponent: null };

/** Stands for a row where none is named. */
const STAND_IN = {
  prompt: '(the prompt)',
  completion: '(the completion)',
  opponent: '(the opponent)',
  ground_truth: '(the reference)',
};

/** A row may hold more: those of an audit have an id, traces have all of a call. */
const Row = z.object({
  prompt: z.string().optional(),
  completion: z.string().optional(),
  opponent: z.string().optional(),
  ground_truth: z.string().nullable().optional(),
});

/** The subject that the options name. Throws CliError. */
export function subjectAsked(options: CheckOptions, guided: boolean): Shown {
  const { row, prompt, completion, opponent, groundTruth, ask } = options;
  const given = [row, prompt, completion, opponent, groundTruth].some((value) => value !== undefined);
  if (!given) {
    if (ask !== undefined)
      throw usage('--ask: expected --row, or --prompt and --completion, to ask about; got neither.');
    return { ...STAND_IN, source: 'stand-in' };
  }
  const read = row === undefined ? null : readRow(row);
  const found = {
    prompt: prompt ?? read?.prompt,
    completion: completion ?? read?.completion,
    opponent: opponent ?? read?.opponent ?? null,
    ground_truth: groundTruth ?? read?.ground_truth ?? null,
  };
  const source = read?.source ?? 'command line';
  for (const field of ['prompt', 'completion'] as const) {
    if (found[field] === undefined) throw usage(`${missing(read?.source, field)}; expected it there or as --${field}.`);
  }
  if (guided && found.ground_truth === null) {
    throw usage(
      `${missing(read?.source, 'ground_truth')}; expected it there or as --ground-truth, because the rubric is reference-guided.`,
    );
  }
  return { ...found, source } as Shown;
}

const missing = (source: string | undefined, field: string) => `${source ?? 'the command line'}: ${field} is missing`;

function readRow(named: string): z.output<typeof Row> & { source: string } {
  const [path, number] = placeOf(named);
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    throw usage(`--row: expected a JSON Lines file, got ${(error as NodeJS.ErrnoException).code} for ${path}.`);
  }
  const where = `${path}:${number}`;
  const line = lines[number - 1];
  if (line === undefined || line.trim() === '') {
    throw usage(
      `--row: expected a row in line ${number} of ${path}, found ${line === undefined ? `${lines.length} lines` : 'an empty one'}.`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw usage(`${where}: expected a JSON object, got ${(error as Error).message}.`);
  }
  const parsed = Row.safeParse(value);
  if (parsed.success) return { ...parsed.data, source: where };
  const [issue] = parsed.error.issues;
  throw usage(`${where}: ${issue?.path.join('.') || 'row'}: ${issue?.message ?? 'expected a JSON object'}.`);
}

/** Path and line of FILE or FILE:N; a file may have such a name itself. */
function placeOf(named: string): [string, number] {
  const [, path, number] = /^(.+):([1-9]\d{0,9})$/s.exec(named) ?? [];
  return path === undefined || existsSync(named) ? [named, 1] : [path, Number(number)];
}
