import type { Config } from '../../config.ts';
import type { GradingMode } from '../../contracts/mode.ts';
import type { Rubric } from '../../contracts/rubric.ts';
import type { Altered, Message, Trace } from '../../contracts/trace.ts';
import { promptingOf } from '../../gateway/prompting.ts';
import { canSpellFrame } from '../../judging/can-spell.ts';
import { controlStrings } from '../../judging/control-strings.ts';
import { loadRubric } from '../../judging/rubric.ts';
import { askOnce } from './ask-once.ts';
import { type Answer, answersOf, type DryVerdict, dryVerdicts, misread, taughtReplies } from './dry-verdicts.ts';
import { type CheckOptions, modesAsked, modesFor, placeAsked, tokenizerFolder } from './options.ts';
import { fitting, type Shown, subjectAsked } from './subject.ts';
import { countTokens, type QuestionTokens } from './token-counts.ts';

/** What `gavel rubric check` prints. */
export interface RubricCheck extends Pick<Rubric, 'name' | 'threshold' | 'reference_guided' | 'frame'> {
  path: string;
  digest: string;
  examples: number;
  subject: Shown;
  modes: ModeCheck[];
  /** What keeps the rubric from being used; empty: nothing. */
  problems: string[];
}

export interface ModeCheck {
  mode: GradingMode;
  messages: Message[];
  answer_prefix: string | null;
  /** Fields of the subject whose control strings were broken up. */
  altered: Altered;
  answers: Answer[];
  /** What a grader is taught to reply for the scores 0 to 9; null: what the judge replied. */
  taught: string[] | null;
  dry: DryVerdict[];
  /** null: no tokenizer was named. */
  tokens: QuestionTokens | null;
  /** The call to the model that was named; null: none was. */
  asked: Trace | null;
}

/** Checks the rubric in a file. Throws RubricError, CliError, or GatewayError where a model cannot be asked. */
export async function checkRubric(config: Config, path: string, options: CheckOptions): Promise<RubricCheck> {
  const [place, folder] = [placeAsked(options), tokenizerFolder(options)];
  const loaded = loadRubric(path);
  const { rubric, digest } = loaded;
  const subject = subjectAsked(options, rubric.reference_guided);
  const asking = modesFor(modesAsked(rubric, options), options, subject);
  const control = controlStrings(folder === null ? [] : [folder]);
  const questions = asking.map((mode) => ({ mode, ...promptingOf(rubric, control, mode, fitting(mode, subject)) }));
  const tokens = folder === null ? [] : await countTokens(config, folder, questions);
  const asked = place === null ? [] : await askOnce(place, { loaded, control, subject, modes: asking });

  const checks = questions.map(({ mode, messages, answer_prefix, choices, altered }, at): ModeCheck => {
    const answers = answersOf(rubric, mode, choices);
    const dry = dryVerdicts(rubric, mode, choices, options.reply);
    const said = { answers, taught: taughtReplies(rubric, mode), dry };
    return { mode, messages, answer_prefix, altered, ...said, tokens: tokens[at] ?? null, asked: asked[at] ?? null };
  });
  const problems = [
    ...checks.flatMap(({ mode, answers, dry }) => misread(mode, answers, dry)),
    ...(folder === null ? [] : unfit(rubric, folder, checks)),
  ];
  const { name, threshold, reference_guided, frame } = rubric;
  const head = { name, path, digest, threshold, reference_guided, frame };
  return { ...head, examples: rubric.examples?.length ?? 0, subject, modes: checks, problems };
}

/** Why a model with the tokenizer in `folder` cannot be asked by the rubric. */
function unfit({ frame }: Rubric, folder: string, checks: ModeCheck[]): string[] {
  const speechless = frame === 'digest' && !canSpellFrame(folder);
  return [
    ...(speechless
      ? [`frame: Expected a tokenizer with tokens for a digest's digits, found none in ${folder}; set frame: none.`]
      : []),
    ...checks.flatMap(({ mode, tokens }) =>
      tokens?.problem
        ? [`modes.${mode}: The chat template in ${folder} renders no such messages: ${tokens.problem}`]
        : [],
    ),
  ];
}
