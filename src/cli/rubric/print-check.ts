import type { Message, Trace } from '../../contracts/trace.ts';
import type { Verdict } from '../../contracts/verdict.ts';
import { plainText } from '../../plain-text.ts';
import { paint } from '../colors.ts';
import { type Row, table } from '../summary.ts';
import type { ModeCheck, RubricCheck } from './check.ts';
import { saidBy } from './dry-verdicts.ts';
import type { QuestionTokens } from './token-counts.ts';

/** A check as text: the rubric, then each mode with its messages, its answers and what replies give. */
export function checkText(check: RubricCheck): string {
  const { name, path, digest, threshold, reference_guided, frame, examples, subject, modes, problems } = check;
  const head = table([
    ['digest', digest],
    ['passes', `a score of ${threshold} or more`],
    ['reference', reference_guided ? 'shown; every row needs a ground_truth' : 'not shown'],
    ['frame', frame],
    ['examples', examples === 0 ? 'none' : `${examples}, before each question`],
    ['asked about', subject.source === 'stand-in' ? 'a stand-in; --row names a row' : plainText(subject.source)],
  ]);
  const verdict =
    problems.length === 0
      ? `${paint.green('The rubric can be used')} in ${modes.map(({ mode }) => mode).join(', ')}.`
      : problems.map((problem) => `${paint.red('problem:')} ${plainText(problem)}`).join('\n');
  const title = `${paint.bold(plainText(name))}  ${plainText(path)}`;
  return [`${title}\n${head}`, ...modes.map((mode) => modeText(mode, threshold)), verdict].join('\n\n');
}

function modeText(check: ModeCheck, threshold: number): string {
  const { mode, messages, answer_prefix, altered, tokens, asked } = check;
  const shown = messages.map((message, at) => messageText(message, tokens?.contents[at]));
  const facts: Row[] = [
    ...row('begins with', answer_prefix === null ? null : `${JSON.stringify(answer_prefix)}, where engine is vllm`),
    ['answers', answersText(check)],
    ...row('taught', taughtText(check)),
    ...(tokens === null ? [] : tokenRows(tokens)),
    ...row('altered', altered.length > 0 ? `${altered.join(', ')}: control strings are broken up` : null),
    ...dryRows(check, threshold),
    ...(asked === null ? [] : askedRows(asked, threshold)),
  ];
  return [paint.bold(mode), ...shown, table(facts.map(([label, value]) => [label, plainText(value)]))].join('\n');
}

const row = (label: string, value: string | null): Row[] => (value === null ? [] : [[label, value]]);

const roles: Partial<Record<Message['role'], (text: string) => string>> = {
  system: paint.magenta,
  user: paint.cyan,
  assistant: paint.green,
};

function messageText({ role, content }: Message, tokens: number | undefined): string {
  const head =
    (roles[role] ?? paint.bold)(role) +
    (tokens === undefined ? '' : paint.gray(`  ${tokens} ${tokens === 1 ? 'token' : 'tokens'}`));
  const lines = plainText(content).split('\n');
  return [`  ${head}`, ...lines.map((line) => `    ${line}`.trimEnd())].join('\n');
}

const PREFERRED = { A: 'the first is better', B: 'the second is better', tie: 'neither is' };

function answersText({ answers }: ModeCheck): string {
  if (answers.some(({ preferred }) => preferred !== null))
    return answers.map(({ answer, preferred }) => `${answer} (${PREFERRED[preferred ?? 'tie']})`).join(', ');
  if (answers.length === 0) return 'any text; the mode looks for the score in it';
  const that = (pass: boolean) =>
    answers
      .filter(({ passes }) => passes === pass)
      .map(({ answer, score }) => (answer === String(score) ? answer : `${answer} (${score})`))
      .join(', ');
  return `${that(true)} pass; ${that(false)} fail`;
}

/** Where an answer stands for several scores: which of them a grader learns it for. */
function taughtText({ taught, answers }: ModeCheck): string | null {
  if (taught === null || answers.length >= taught.length) return null;
  const spans: { from: number; to: number; reply: string }[] = [];
  for (const [score, reply] of taught.entries()) {
    const last = spans.at(-1);
    if (last?.reply === reply) last.to = score;
    else spans.push({ from: score, to: score, reply });
  }
  return spans.map(({ from, to, reply }) => `${from === to ? from : `${from}-${to}`} ${reply}`).join(', ');
}

function tokenRows({ contents, total, answers, constrained }: QuestionTokens): Row[] {
  const sum = contents.reduce((all, one) => all + one, 0);
  const sent: Row = [
    'tokens',
    total === null ? `${sum}, without a chat template` : `${total} sent, chat template included`,
  ];
  if (constrained === null) return [sent];
  if (constrained) return [sent, ['one token', 'each answer: a vLLM is kept to the answers']];
  const longer = answers.filter(({ alone, spaced }) => alone > 1 && (spaced ?? 2) > 1).map(({ answer }) => answer);
  const which = longer.length > 0 ? longer.join(', ') : 'each answer, all written in one way';
  return [sent, ['one token', `not ${which}: the reply is free, and read by its text`]];
}

/** Replies that the rubric itself gives are one row, since each has to be read as what it stands for. */
function dryRows({ dry }: ModeCheck, threshold: number): Row[] {
  const own = dry.filter(({ expected }) => expected !== null);
  const right = own.filter(({ expected, verdict }) => saidBy(verdict) === expected).length;
  const whose = own[0]?.from === 'example' ? 'replies of the examples' : 'own replies';
  const replies = own.length > 0 ? `${right} of ${own.length} ${whose} read as what they stand for` : null;
  const others = dry.filter(({ expected }) => expected === null);
  return [
    ...row('read back', replies),
    ...others.map(
      ({ reply, verdict }): Row => ['read', `${JSON.stringify(reply)} is ${verdictText(verdict, threshold)}`],
    ),
  ];
}

function verdictText({ verdict, score, value, p_pass, preference }: Verdict, threshold: number): string {
  if (preference) return `${preference.label}, win ${preference.win.toFixed(2)}`;
  if (score === null) return `${verdict}: no score`;
  const mean = value === null || value === score ? '' : `, value ${value.toFixed(2)}`;
  const passes = (p_pass ?? Number(score >= threshold)) > 0.5;
  return `score ${score}${mean}, ${passes ? 'passes' : 'fails'}`;
}

function askedRows(trace: Trace, threshold: number): Row[] {
  const { reply, distribution, preference, off_scale_mass, usage, latency_ms, reasoning, verdict } = trace;
  const known = Object.entries(distribution ?? preference?.distribution ?? {});
  const shares = known.flatMap(([answer, share]) => (share >= 0.005 ? [`${answer}: ${share.toFixed(2)}`] : []));
  return [
    ['replied', `${JSON.stringify(reply)} in ${latency_ms.toFixed(0)} ms`],
    ['verdict', verdictText(trace, threshold)],
    ...row('because', verdict === 'scored' ? null : reasoning),
    ['shares', known.length === 0 ? 'not known' : shares.join(', ')],
    ...row('off scale', off_scale_mass === null ? null : off_scale_mass.toFixed(3)),
    ...row('used', usage && `${usage.prompt_tokens} prompt and ${usage.completion_tokens} completion tokens`),
  ];
}
