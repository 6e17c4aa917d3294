import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { loadConfig } from '../config.ts';
import { GradingMode } from '../contracts/mode.ts';
import { GradingRole, StageName, type Trace } from '../contracts/trace.ts';
import { VerdictKind } from '../contracts/verdict.ts';
import { readTraces, type TraceFilter } from '../ledger/reader.ts';
import { plainJson, plainText } from '../plain-text.ts';
import { paint } from './colors.ts';
import { CliError, EXIT } from './exit.ts';
import { pathsOf } from './watch/follow-run.ts';

interface TracesOptions {
  role?: TraceFilter['role'];
  stage?: StageName;
  mode?: GradingMode;
  verdict?: VerdictKind;
  minScore?: number;
  maxScore?: number;
  promptContains?: string;
  contains?: string;
  occasion?: string;
  key?: string;
  limit?: number;
  json?: boolean;
}

export function define(program: Command): void {
  program
    .command('traces')
    .argument('<run>', 'name of a run')
    .description(
      "Prints a run's traces, oldest first, while it reads them, so `gavel traces RUN | head` returns at once.",
    )
    .addOption(new Option('--role <role>', 'role that graded').choices(GradingRole.options))
    .addOption(new Option('--stage <stage>', 'stage of the call').choices(StageName.options))
    .addOption(new Option('--mode <mode>', 'mode of the call').choices(GradingMode.options))
    .addOption(new Option('--verdict <verdict>', 'kind of the verdict').choices(VerdictKind.options))
    .option('--min-score <n>', 'lowest score', parseScore)
    .option('--max-score <n>', 'highest score', parseScore)
    .option('--prompt-contains <text>', 'part of the prompt')
    .option('--contains <text>', 'part of prompt, completion, opponent or reply')
    .option('--occasion <start>', 'start of the occasion, say grpo:12: for step 12')
    .option('--key <digits>', 'key, or its first digits')
    .option('--limit <n>', 'print at most this many', parseCount)
    .option('--json', 'one JSON object a line')
    .action(traces);
}

async function traces(run: string, options: TracesOptions): Promise<void> {
  const paths = pathsOf(loadConfig(), run);
  if (!existsSync(paths.traces)) {
    throw new CliError(`Expected traces of a run named ${run} in ${paths.traces}, got no such folder.`, {
      hint: 'List runs with `gavel status`.',
    });
  }
  const { promptContains, limit = Number.POSITIVE_INFINITY } = options;
  let printed = 0;
  for await (const trace of readTraces(paths.dir, filterOf(options))) {
    if (promptContains !== undefined && !trace.prompt.includes(promptContains)) continue;
    if (printed >= limit) break;
    printed += 1;
    console.log(options.json ? plainJson(trace) : pretty(trace));
  }
  if (printed === 0 && !options.json) console.error('No trace matches.');
}

function filterOf({
  role,
  stage,
  mode,
  verdict,
  minScore,
  maxScore,
  contains,
  occasion,
  key,
}: TracesOptions): TraceFilter {
  return {
    ...(role && { role }),
    ...(stage && { stage }),
    ...(mode && { mode }),
    ...(verdict && { verdict }),
    ...(minScore !== undefined && { min_score: minScore }),
    ...(maxScore !== undefined && { max_score: maxScore }),
    ...(contains !== undefined && { text: contains }),
    ...(occasion !== undefined && { occasion }),
    ...(key !== undefined && { key }),
  };
}

/** A trace as text: role, verdict, prompt, completion and reply. */
export function pretty(trace: Trace): string {
  const score = said(trace);
  const value = trace.value_rule === 'expectation' ? ` (value ${trace.value?.toFixed(2)})` : '';
  const off = trace.verdict === 'off_scale' ? ` (${trace.off_scale_mass?.toFixed(2)} outside the digits)` : '';
  const head = [
    paint.cyan(trace.key.slice(0, 12)),
    plainText(trace.occasion),
    trace.role,
    trace.mode,
    `${score}${value}${off}`,
    `${trace.latency_ms.toFixed(0)} ms`,
  ];
  const opponent = trace.opponent === undefined ? [] : [`  opponent    ${oneLine(trace.opponent)}`];
  const truth = trace.ground_truth === null ? [] : [`  truth       ${oneLine(trace.ground_truth)}`];
  return [
    head.join('  '),
    `  prompt      ${oneLine(trace.prompt)}`,
    `  completion  ${oneLine(trace.completion)}`,
    ...opponent,
    ...truth,
    `  reply       ${oneLine(trace.reply)}`,
  ].join('\n');
}

function said({ verdict, score, preference }: Trace): string {
  if (score !== null) return paint.bold(`score ${score}`);
  if (!preference) return paint.yellow(verdict);
  const shown = { ab: 'shown first', ba: 'shown second' }[preference.order as 'ab' | 'ba'];
  const better = { A: 'completion better', B: 'opponent better', tie: 'tie' }[preference.label];
  return `${paint.bold(better)} (completion ${shown})`;
}

const oneLine = (text: string) => plainText(text).replace(/\s+/g, ' ').trim();

function parseScore(text: string): number {
  const score = Number(text);
  if (Number.isInteger(score) && score >= 0 && score <= 9) return score;
  throw new CliError(`Expected a score from 0 to 9, got ${text}.`, { code: EXIT.usage });
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new CliError(`Expected a whole number above 0, got ${text}.`, { code: EXIT.usage });
}
