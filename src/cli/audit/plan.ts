import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Config, loadConfig } from '../../config.ts';
import { AuditPlan, AuditPlanRequest } from '../../contracts/audit-plan.ts';
import { AuditSpec } from '../../contracts/spec/audit.ts';
import { plainText } from '../../plain-text.ts';
import { parseContract, writeAtomic } from '../../run-directory/files.ts';
import { paint } from '../colors.ts';
import { CliError, EXIT } from '../exit.ts';
import { runPython } from '../python.ts';
import { loadGates } from './gates-file.ts';
import { share } from './options.ts';

interface PlanOptions {
  gates?: string;
  expect: Record<string, number>;
  rowsPerPrompt: number;
  correlation: number;
  pilot?: string;
  power: number;
  confidence: number;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  gavel audit plan --expect fidelity.grader.headline.quadratic_weighted_kappa=0.75 \\
    teacher_wrong.grader.headline.balanced_accuracy_difference=0 coverage.grader.headline.scored=0.99 \\
    'coverage.judge.*.scored=0.99'
  gavel audit plan --gates gates.yaml --pilot audit-1/audit.json --rows-per-prompt 4`;

export function definePlan(audit: Command): void {
  audit
    .command('plan')
    .description('Prints how many rows and prompts the gates of an audit need, before anything is paid.')
    .option('--gates <file>', "list of gates, YAML or JSON (default: those of a spec's audit.gates)")
    .option(
      '--expect <id=value...>',
      'what the measure of a gate is expected to be, by the id of the gate',
      expected,
      {},
    )
    .option('--rows-per-prompt <n>', 'mean rows of one prompt', atLeastOne, 1)
    .option('--correlation <share>', 'how alike two rows of one prompt are, from 0 to 1', correlation, 0.25)
    .option('--pilot <audit.json>', 'an earlier audit of such rows, which says how much they vary')
    .option('--power <share>', 'wanted probability that each gate passes where the expected value is true', share, 0.8)
    .option('--confidence <level>', 'level of the intervals', share, 0.95)
    .option('--json', 'print the plan as one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (options: PlanOptions) => {
      process.exitCode = await plan(loadConfig(), options);
    });
}

/** Takes ID=VALUE, once or more often. */
function expected(text: string, before: Record<string, number>): Record<string, number> {
  const [, id = '', value = ''] = /^(.+)=([^=]+)$/.exec(text) ?? [];
  if (id === '' || value.trim() === '' || !Number.isFinite(Number(value))) {
    throw new InvalidArgumentError(`Expected ID=VALUE, say fidelity.grader.headline.exact=0.8, got ${text}.`);
  }
  return { ...before, [id]: Number(value) };
}

function atLeastOne(text: string): number {
  if (Number(text) >= 1 && Number.isFinite(Number(text))) return Number(text);
  throw new InvalidArgumentError(`Expected a number, at least 1, got ${text}.`);
}

function correlation(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`Expected a number from 0 to 1, got ${text}.`);
}

async function plan(config: Config, options: PlanOptions): Promise<number> {
  const request = requestOf(options);
  const folder = await mkdtemp(join(tmpdir(), 'gavel-plan-'));
  const printed: string[] = [];
  try {
    const path = join(folder, 'request.json');
    await writeAtomic(path, request);
    const onLine = (line: string) => printed.push(line);
    // What is wrong with the request is on standard error already, in a sentence.
    const code = await runPython(config, ['-m', 'gavel_train.audit.plan', path], { onLine });
    if (code === EXIT.usage) return code;
    if (code !== 0) throw new CliError(`The plan ended with exit code ${code}.`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const answer = parseContract(printed.join('\n'), AuditPlan, 'the plan');
  console.log(options.json ? JSON.stringify(answer, null, 2) : planText(answer, request.power));
  return EXIT.ok;
}

function requestOf(options: PlanOptions): AuditPlanRequest {
  const gates = options.gates === undefined ? AuditSpec.parse({}).gates : loadGates(resolve(options.gates));
  const pilot = options.pilot === undefined ? null : resolve(options.pilot);
  if (pilot !== null && !existsSync(pilot)) {
    throw new CliError(`--pilot: expected the audit.json of an audit at ${pilot}, found none.`, { code: EXIT.usage });
  }
  const { expect, rowsPerPrompt: rows_per_prompt, correlation, power, confidence } = options;
  return AuditPlanRequest.parse({ gates, expect, rows_per_prompt, correlation, pilot, power, confidence });
}

const count = (value: number | null) => value?.toLocaleString('en-US') ?? 'no number';

/** The plan as a table: what each gate needs, and what is enough for all. */
export function planText({ gates, rows, prompts }: AuditPlan, power: number): string {
  const head = ['gate', 'bound', 'expected', 'rows', 'prompts'];
  const lines = gates.map(({ id, slice, at_least, at_most, expected, ...needs }) => [
    slice === 'all' ? id : `${id} (${slice})`,
    at_least === null ? `at most ${at_most}` : `at least ${at_least}`,
    `${expected}`,
    count(needs.rows),
    count(needs.prompts),
  ]);
  const widths = head.map((_, at) => Math.max(...[head, ...lines].map((line) => (line[at] as string).length)));
  const row = (line: string[]) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join('  ')
      .trimEnd();
  const notes = gates.flatMap(({ id, note }) => (note === null ? [] : [`  ${id}: ${note}`]));
  const all =
    rows === null
      ? 'No number of rows is enough for every gate.'
      : `${count(rows)} rows of ${count(prompts)} prompts give every gate at least ${Math.round(100 * power)}% power.`;
  return plainText(
    [paint.gray(row(head)), ...lines.map(row), ...(notes.length > 0 ? ['', ...notes] : []), '', all].join('\n'),
  );
}
