import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { type FitNeed, FitReport, type FitStepTime } from '../contracts/fit.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { readContractIfAny } from '../run-directory/files.ts';
import { pathsIn } from '../run-directory/paths.ts';
import { loadSpec } from '../spec/load-spec.ts';
import { askForFit, type StepTimeAsked } from '../stage/fit.ts';
import { isLaunched, launchConfig } from '../stage/launch-config.ts';
import { paint } from './colors.ts';
import { CliError, EXIT } from './exit.ts';
import { runPython } from './python.ts';
import { table } from './summary.ts';
import { parseCount } from './traces.ts';

export function define(program: Command): void {
  program
    .command('fit')
    .argument('<spec>', 'YAML or JSON file; see examples/')
    .description(
      'Estimates the memory of every process of a run at its peak, part by part, and holds it against this machine. ' +
        'A run that cannot fit is refused in the same way before it starts. Predicts the time of a GRPO step too, ' +
        'where the rates of the machine are known.',
    )
    .option(
      '--launch',
      'print the configuration of `accelerate launch` for each stage of several ranks on GPUs instead',
    )
    .option('--json', 'print the estimate as JSON')
    .option('--gpu <name>', 'predict the time of a step for this GPU, say H100, and not for this machine')
    .option('--completion-tokens <number>', 'mean length of a completion; else as long as the spec allows', parseCount)
    .option('--reply-tokens <number>', "mean length of the judge's reply; else as long as the spec allows", parseCount)
    .action(async (path: string, { launch, json, gpu, completionTokens, replyTokens }: Options) => {
      const spec = loadSpec(path);
      if (launch) return console.log(launchText(spec));
      const report = await estimate(loadConfig(), spec, {
        gpu_name: gpu ?? null,
        completion_tokens: completionTokens ?? null,
        reply_tokens: replyTokens ?? null,
      });
      console.log(json ? JSON.stringify(report, null, 2) : fitText(report));
      if (report.verdict === 'too_large') process.exitCode = EXIT.failed;
    });
}

/** What accelerate gets, a YAML document for each stage that it launches. */
export function launchText(spec: Spec): string {
  const launched = (['grpo', 'sft'] as const).filter((stage) => isLaunched(stage, spec));
  if (launched.length === 0) {
    const why = 'Expected grpo.processes or sft.processes above 1, and placement.trainer_gpus above 0.';
    throw new CliError(
      `accelerate launches no stage of this spec: the others are one process, or ranks on the CPU. ${why}`,
    );
  }
  const flags = spec.grpo.accelerate_args.join(' ');
  const outranked = flags === '' ? '' : `# grpo.accelerate_args outrank it: ${flags}\n`;
  return launched
    .map((stage) => `# ${stage}\n${stage === 'grpo' ? outranked : ''}${launchConfig(stage, spec)}`)
    .join('---\n')
    .trimEnd();
}

interface Options {
  launch?: boolean;
  json?: boolean;
  gpu?: string;
  completionTokens?: number;
  replyTokens?: number;
}

/** The estimate of a spec on this machine. */
async function estimate(config: Config, spec: Spec, asked: StepTimeAsked): Promise<FitReport> {
  const folder = await mkdtemp(join(tmpdir(), 'gavel-fit-'));
  const paths = pathsIn(folder);
  try {
    await writeFile(paths.spec, JSON.stringify(spec));
    await askForFit(config, spec, paths, asked);
    // The hub gives the config of a model that is not on this machine.
    const env = config.offline ? {} : { HF_HUB_OFFLINE: '0' };
    const code = await runPython(config, ['-m', 'gavel_train.fit', folder], { env });
    const report = code === 0 ? await readContractIfAny(paths.fit, FitReport) : null;
    if (report === null) throw new CliError(`Expected an estimate, but Python ended with exit code ${code}.`);
    return report;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const VERDICTS = {
  fits: paint.green('fits'),
  tight: paint.yellow('tight: it may not fit, since an estimate may be a fifth too low'),
  too_large: paint.red('does not fit'),
  unknown: paint.yellow('unknown'),
};

/** The estimate as tables: one a process. */
export function fitText(report: FitReport): string {
  const { machine, needs, verdict, micro_batch_size, prompt_tokens, problems, step_time } = report;
  const gpus = machine.gpu_bytes.map((bytes) => (bytes > 0 ? size(bytes) : 'memory unknown'));
  const has = [
    `Node ${machine.node}: ${size(machine.memory_bytes)} of main memory; GPUs: ${gpus.join(', ') || 'none'}.`,
    `Longest prompt: ${prompt_tokens} tokens.`,
    ...(micro_batch_size === null ? [] : [`grpo.micro_batch_size is null; ${micro_batch_size} is used.`]),
  ];
  const said = problems.map(({ field, message }) => `${paint.red(field)}: ${message}`);
  const time = step_time === null ? [] : [stepText(step_time)];
  return [has.join('\n'), ...needs.map(needText), ...time, `Run: ${VERDICTS[verdict]}`, ...said].join('\n\n');
}

function stepText({ seconds, phases, note }: FitStepTime): string {
  const head = paint.bold('grpo: time of a step, predicted');
  if (seconds === null) return `${head}\n  ${VERDICTS.unknown}: ${note}`;
  const rows = table([
    ...phases.map(({ name, seconds, how }): [string, string] => [name, `${inSeconds(seconds)}  ${paint.gray(how)}`]),
    ['step', inSeconds(seconds)],
  ]);
  return [head, `  ${note}`, rows].join('\n');
}

const inSeconds = (seconds: number) => `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`.padStart(10);

function needText({ stage, what, device, copies, moment, ...need }: FitNeed): string {
  if (need.parts.length === 0) return `${paint.bold(`${stage}: ${what}`)}\n  ${VERDICTS.unknown}: ${need.note}`;
  const many = copies > 1 ? `, ${copies} of these` : '';
  const head = paint.bold(`${stage}: ${what} (${device === 'gpu' ? 'each GPU' : 'main memory'}${many})`);
  const parts = need.parts.map(({ name, bytes, how }): [string, string] => [
    name,
    `${size(bytes).padStart(10)}  ${paint.gray(how)}`,
  ]);
  const available = need.available_bytes === null ? 'an unknown amount' : size(need.available_bytes);
  const rows = table([
    ...parts,
    ['sum', `${size(need.bytes).padStart(10)}  of ${available}: ${VERDICTS[need.verdict]}`],
    ...(need.verdict === 'fits' ? [] : need.changes).map(({ field, value, bytes, fits }): [string, string] => [
      `with ${field}: ${value}`,
      `${size(bytes).padStart(10)}  ${fits ? 'fits' : 'does not fit'}`,
    ]),
  ]);
  return [head, `  at its peak: ${moment}${need.note === null ? '' : `; ${need.note}`}`, rows].join('\n');
}

function size(bytes: number): string {
  return bytes >= 2 ** 28 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
