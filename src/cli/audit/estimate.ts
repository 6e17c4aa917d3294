import { ExternalAuditRow } from '../../contracts/external-audit.ts';
import type { GatewayConfigInput } from '../../contracts/gateway.ts';
import type { GradingMode } from '../../contracts/mode.ts';
import type { GradeRequest } from '../../contracts/trace.ts';
import { type Calls, unanswered } from '../../gateway/unanswered.ts';
import { modes as gradingModes } from '../../judging/modes/registry.ts';
import type { LoadedRubric } from '../../judging/rubric.ts';
import { sha256File } from '../../run-directory/digest.ts';
import { readJsonLines } from '../../run-directory/files.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Asked } from './contestants.ts';

/** What an audit would ask and send, before anything is paid. */

/** Of English text and of code; tokenizers differ by a third either way. */
const CHARACTERS_PER_TOKEN = 4;

export interface Estimate {
  passes: Calls[];
  calls: number;
  /** Calls that the ledger of an earlier attempt, or a row with the same text, answers. */
  answered: number;
  prompt_tokens: number;
  reply_tokens: number;
  /** The rows that were counted: the audit asks about no others. null: no model is asked. */
  rows: { count: number; sha256: string } | null;
}

interface Rows {
  path: string;
  max_rows: number | null;
}

/** Throws CliError (usage) where a row cannot be read or asked about. */
export async function estimate(
  config: GatewayConfigInput,
  rubric: LoadedRubric,
  { asked, rows }: { asked: Asked[]; rows: Rows },
): Promise<Estimate> {
  // Before they are read: of rows that are appended meanwhile, none is in this digest.
  const sha256 = await sha256File(rows.path);
  const passes = await unanswered(config, rubric, requestsOf(rows, asked, rubric)).catch((error: Error) => {
    if (!['ContractError', 'GatewayError'].includes(error.name)) throw error;
    throw new CliError(error.message, { code: EXIT.usage });
  });
  const sum = (count: (calls: Calls) => number) => passes.reduce((total, pass) => total + count(pass), 0);
  return {
    passes,
    calls: sum(({ asked }) => asked),
    answered: sum(({ answered }) => answered),
    prompt_tokens: Math.ceil(sum(({ characters }) => characters) / CHARACTERS_PER_TOKEN),
    reply_tokens: sum(({ reply_tokens }) => reply_tokens),
    rows: { count: passes[0]?.requests ?? 0, sha256 },
  };
}

/** The requests that the audit's process makes: the occasion of a row is `audit:` and its id. */
async function* requestsOf(
  { path, max_rows }: Rows,
  asked: Asked[],
  { rubric }: LoadedRubric,
): AsyncGenerator<GradeRequest> {
  let rows = 0;
  for await (const row of readJsonLines(path, ExternalAuditRow, { whole: true })) {
    if (max_rows !== null && rows >= max_rows) return;
    rows += 1;
    const { id, prompt, ground_truth } = row;
    const [completion, opponent] =
      row.completion === null ? [row.completion_a, row.completion_b] : [row.completion, null];
    const unaskable = (why: string) => new CliError(`${path}: row ${id}: ${why}`, { code: EXIT.usage });
    if (completion === null || (row.completion === null && opponent === null)) {
      throw unaskable('completion: expected completion, or completion_a and completion_b, found neither.');
    }
    if (ground_truth === null && rubric.reference_guided) {
      throw unaskable(`ground_truth: expected text, found none: rubric "${rubric.name}" is reference-guided.`);
    }
    for (const { role, modes } of asked)
      for (const mode of modes) {
        if (gradingModes[mode].pairs !== (opponent !== null)) throw unaskable(misfit(mode, opponent));
        yield { role, mode, occasion: `audit:${id}`, prompt, completion, opponent, ground_truth };
      }
  }
}

const misfit = (mode: GradingMode, opponent: string | null): string =>
  opponent === null
    ? `completion_a: expected a pair of completions for mode ${mode}, found one completion.`
    : `completion: expected one completion for mode ${mode}, found a pair. Mode pairwise compares two.`;

const count = (value: number) => value.toLocaleString('en-US');
/** Two digits: more would claim to know what is only estimated. */
const about = (value: number) => count(value < 100 ? value : Number(value.toPrecision(2)));

/** The estimate in words. */
export function estimateText({ passes, calls, answered, prompt_tokens, reply_tokens }: Estimate): string {
  const each = passes.map(({ role, mode, asked }) => `${role} ${mode} ${count(asked)}`).join(', ');
  const known = answered > 0 ? `; ${count(answered)} more are answered already, and are not asked again` : '';
  const tokens = `about ${about(prompt_tokens)} prompt tokens (${CHARACTERS_PER_TOKEN} characters each) and at most ${about(reply_tokens)} completion tokens`;
  const whose = passes.length > 0 ? ` (${each})` : '';
  return `Calls: ${count(calls)}${whose}${known}.${calls > 0 ? `\nTokens: ${tokens}.` : ''}`;
}
