import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Config } from '../../config.ts';
import { AuditSpec, type GateSpec } from '../../contracts/spec/audit.ts';
import { type LoadedRubric, loadRubric } from '../../judging/rubric.ts';
import { pathsIn } from '../../run-directory/paths.ts';
import { CliError, EXIT } from '../exit.ts';
import { type Contestants, contestantsOf, type Named } from './contestants.ts';
import { loadGates } from './gates-file.ts';
import { looksFile } from './looks-file.ts';
import type { AuditOptions } from './options.ts';

/** One call of `gavel audit`, checked as far as its files and flags tell. */
export interface AuditCall {
  /** Name that the audit is kept under. */
  run: string;
  rows: string;
  out: string;
  contestants: Contestants;
  /** null: no model is asked, and the threshold is the contract's default. */
  rubric: LoadedRubric | null;
  gates: GateSpec[];
  slices: string[];
  max_rows: number | null;
  confidence: number;
  /** File that counts the looks at each set of rows. */
  looks: string;
  concurrency: number;
  confirm_above: number;
  yes: boolean;
}

/** Throws CliError (usage), UnusableFile or RubricError. */
export function readRequest(config: Config, options: AuditOptions): AuditCall {
  const { data, out: folder } = options;
  if (data === undefined) throw usage('--data: missing; expected a JSON Lines file of rows.');
  if (folder === undefined) throw usage('--out: missing; expected a folder for the audit.');
  const rows = resolve(data);
  const out = resolve(folder);
  if (!existsSync(rows) || !statSync(rows).isFile())
    throw usage(`--data: expected a file of rows at ${rows}, found none.`);
  if (existsSync(pathsIn(out).run_json)) {
    throw usage(`--out: expected a folder of this audit's own, found the run directory ${out}.`);
  }
  if (existsSync(out) && !statSync(out).isDirectory()) throw usage(`--out: expected a folder, found the file ${out}.`);
  const contestants = contestantsOf(
    { ...namedIn('grader', options), ...namedIn('judge', options), ...namedIn('base', options) },
    options.contestant,
    config.key_hosts,
  );
  if (contestants.asked.length > 0 && options.rubric === undefined) {
    throw usage('--rubric: missing; expected the rubric (YAML) that the endpoints are asked by.');
  }
  const defaults = AuditSpec.parse({});
  return {
    run: basename(out) || 'audit',
    rows,
    out,
    contestants,
    rubric: options.rubric === undefined ? null : loadRubric(resolve(options.rubric)),
    gates: options.gates === undefined ? defaultGates(defaults.gates, contestants) : loadGates(resolve(options.gates)),
    slices: options.slice ?? defaults.slices,
    max_rows: options.maxRows ?? null,
    confidence: confidenceOf(options.confidence),
    looks: looksFile(config),
    concurrency: options.concurrency,
    confirm_above: options.confirmAbove,
    yes: options.yes ?? false,
  };
}

/** Pairs have no scores, so agreement is that of labels. */
function defaultGates(gates: GateSpec[], { asked }: Contestants): GateSpec[] {
  const pairs = asked.some(({ modes }) => modes.includes('pairwise'));
  const ofLabels = (id: string) => id.replace('quadratic_weighted_kappa', 'label_cohens_kappa');
  return pairs ? gates.map((gate) => ({ ...gate, id: ofLabels(gate.id) })) : gates;
}

function namedIn(role: 'grader' | 'judge' | 'base', options: AuditOptions): Partial<Record<typeof role, Named>> {
  const value = options[role];
  const model = options[`${role}Model`];
  const key_env = options[`${role}KeyEnv`];
  const modes = { grader: options.mode, judge: options.judgeMode && [options.judgeMode], base: undefined }[role];
  if (value !== undefined) return { [role]: { value, model, key_env, modes } };
  const flags = {
    [`--${role}-model`]: model,
    [`--${role}-key-env`]: key_env,
    '--judge-mode': role === 'judge' && modes,
  };
  const [flag] = Object.entries(flags).find(([, given]) => given) ?? [];
  if (flag !== undefined && role !== 'grader') throw usage(`${flag}: expected --${role} with it, found none.`);
  return {};
}

function confidenceOf(level: number): number {
  if (AuditSpec.shape.confidence.safeParse(level).success) return level;
  throw usage(`--confidence: expected more than 0.5 and less than 1, found ${level}.`);
}

const usage = (message: string): CliError => new CliError(message, { code: EXIT.usage });
