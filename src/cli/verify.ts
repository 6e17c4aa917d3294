import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { Outcome } from '../contracts/stage.ts';
import type { VerifiedAnswer, VerifyRequest } from '../contracts/verify.ts';
import { VerifyReport } from '../contracts/verify.ts';
import { plainText } from '../plain-text.ts';
import { readContractIfAny } from '../run-directory/files.ts';
import { pathsIn } from '../run-directory/paths.ts';
import { loadSpec } from '../spec/load-spec.ts';
import { paint } from './colors.ts';
import { CliError, EXIT } from './exit.ts';
import { runPython } from './python.ts';
import { parseCount } from './traces.ts';

interface Options {
  answers?: string;
  rows: number;
  json?: boolean;
}

export function define(program: Command): void {
  program
    .command('verify')
    .argument('<spec>', 'YAML or JSON file; see examples/')
    .description(
      "Makes the prompts of a spec's task and shows what its verifier makes of sample answers: the truth, ways to say it, the truth " +
        'of another row, and those of a file. Ends with exit code 1 where the truth of a row is judged wrong.',
    )
    .option('--answers <file>', 'answers to check besides: JSON lines of id or prompt, and completion')
    .option('--rows <number>', 'rows whose answers are listed; the truth of every row is checked', parseCount, 3)
    .option('--json', 'print the report as JSON')
    .action(async (path: string, { answers, rows, json }: Options) => {
      const spec = loadSpec(path);
      const request = { rows, answers: answers === undefined ? null : resolve(answers) };
      const report = await dryRun(loadConfig(), spec, request);
      console.log(json ? JSON.stringify(report, null, 2) : verifyText(report));
      if (isAlarming(report)) process.exitCode = EXIT.failed;
    });
}

async function dryRun(config: Config, spec: object, request: VerifyRequest): Promise<VerifyReport> {
  const folder = await mkdtemp(join(tmpdir(), 'gavel-verify-'));
  try {
    await writeFile(pathsIn(folder).spec, JSON.stringify(spec));
    await writeFile(join(folder, 'verify-request.json'), JSON.stringify(request));
    const code = await runPython(config, ['-m', 'gavel_train.tasks.dry_run', folder]);
    const report = code === 0 ? await readContractIfAny(join(folder, 'verify.json'), VerifyReport) : null;
    if (report !== null) return report;
    const outcome = await readContractIfAny(join(folder, 'outcome.json'), Outcome);
    if (outcome?.status === 'bad_request') {
      throw new CliError(`${outcome.field ?? 'task'}: ${outcome.message}`, { code: EXIT.usage });
    }
    throw new CliError(`Expected a report, but Python ended with exit code ${code}.`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether the verifier cannot be trained with: it refuses a truth, or takes every wrong answer. */
export const isAlarming = ({ refused, others, others_taken }: VerifyReport): boolean =>
  refused > 0 || (others > 0 && others_taken === others);

const KINDS: Record<VerifiedAnswer['kind'], string> = {
  truth: 'the truth',
  phrasing: 'a way to say it',
  other_truth: 'truth of another row',
  given: 'from the file',
};

/** The report as text: the answers in a table, then what follows from all rows. */
export function verifyText(report: VerifyReport): string {
  const { verifier, checked, without_truth, answers } = report;
  if (verifier === null) {
    return `No verifier: the judge alone rewards. ${without_truth} of the rows have no ground truth, and the others are not compared with theirs.`;
  }
  const without =
    without_truth > 0 ? ` ${without_truth} rows without ground truth: there the judge alone rewards.` : '';
  return [
    answerTable(answers),
    `Verifier ${verifier}: the truths of ${checked} rows were checked.${without}`,
    ...warnings(report),
  ].join('\n\n');
}

function warnings({ checked, refused, refused_truths, others, others_taken }: VerifyReport): string[] {
  const found: string[] = [];
  if (refused > 0) {
    const named = refused_truths.slice(0, 5).join(', ');
    found.push(
      paint.red(
        `WARNING: the verifier judges the ground truth itself wrong in ${refused} of ${checked} rows (${named}${refused > 5 ? ', ...' : ''}). ` +
          'No answer can be right there. Choose another verifier, or change its params or the data.',
      ),
    );
  }
  if (others_taken > 0) {
    const text = `the verifier takes the truth of another row in ${others_taken} of ${others} rows.`;
    found.push(
      others_taken === others
        ? paint.red(`WARNING: ${text} It tells right from wrong nowhere.`)
        : paint.yellow(`Notice: ${text} Check whether these truths mean the same.`),
    );
  }
  return found;
}

function answerTable(answers: VerifiedAnswer[]): string {
  const head = ['row', 'answer', 'is', 'read as', 'verdict'];
  const rows = answers.map(({ row, completion, kind, read, value }) => [
    row,
    shortened(completion, 60),
    KINDS[kind],
    read === null ? '–' : shortened(read, 24),
    value === 1 ? 'right' : value === 0 ? 'wrong' : `${value} of 1`,
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((cells) => (cells[at] as string).length)));
  const line = (cells: string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join('  ')
      .trimEnd();
  return [paint.bold(line(head)), ...rows.map(line)].join('\n');
}

/** One line of a text, its end kept: that is where answers stand. */
function shortened(text: string, characters: number): string {
  const flat = plainText(text).replaceAll(/\s+/g, ' ').trim();
  return flat.length <= characters ? flat : `…${flat.slice(1 - characters)}`;
}
