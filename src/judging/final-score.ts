/** The score that a reply ends in. */
export interface FinalScore {
  /** null: the reply says that it gives no score. */
  digit: number | null;
  /** Index of its first character, and of the digit itself. */
  start: number;
  at: number;
}

/** "Score:", "**Score**:", "Score =". */
const LABEL = /score[\s*_~`"')\]}]*[:：=]/gi;
/** Emphasis, quotes, brackets and TeX that chat models put around a digit. */
const DECORATION = /\\(?:boxed|text|textbf|mathbf|left|right|[()[\]])|[\s*_~`"'“”$(){}[\]]/g;
const SCORE = /^([0-9])(?:\/9|outof9)?\.?$/;
const ABSTENTION = /^(?:abstain(?:ed)?|n\/?a|none)\.?$/i;
/** A whole line of "$7$" or "\boxed{7}": the form in which models write a final answer. */
const BARE_LINE = /^[\s*_]*(?:\$|\\\(|\\\[|\\boxed\b)/;
/** Words that lead in a score: "Final Score: 8". */
const LEAD_IN = /\b(?:my|the|final|overall|total)[\s*_#]*$/i;

/**
 * Finds the score at the end of a reply; scores quoted before it do not count. null: the reply ends in none, or in two
 * that differ. A reply that was `cut_off` might have gone on, so there the score must have a line of its own.
 */
export function finalScore(text: string, { cut_off }: { cut_off: boolean }): FinalScore | null {
  const found = labelledScore(text) ?? bareScore(text, cut_off);
  if (found === null || (cut_off && !ownLine(text, found.start))) return null;
  const before = labelledScore(text.slice(0, found.start).replace(LEAD_IN, ''));
  return before !== null && before.digit !== found.digit ? null : found;
}

function labelledScore(text: string): FinalScore | null {
  const label = [...text.matchAll(LABEL)].at(-1);
  if (!label) return null;
  const from = label.index + label[0].length;
  const digit = plainScore(text.slice(from));
  return digit === undefined ? null : { digit, start: label.index, at: digitFrom(text, from) };
}

function bareScore(text: string, cut_off: boolean): FinalScore | null {
  // A cut-off reply may end in its own working, which ends in such a line too.
  if (cut_off) return null;
  const start = text.trimEnd().lastIndexOf('\n') + 1;
  const line = text.slice(start);
  const digit = BARE_LINE.test(line) ? plainScore(line) : undefined;
  return typeof digit === 'number' ? { digit, start, at: digitFrom(text, start) } : null;
}

/** The digit that a text is, decoration aside; null for an abstention, undefined for anything else. */
function plainScore(text: string): number | null | undefined {
  const plain = text.replace(DECORATION, '');
  if (ABSTENTION.test(plain)) return null;
  const digit = SCORE.exec(plain)?.[1];
  return digit === undefined ? undefined : Number(digit);
}

const digitFrom = (text: string, from: number): number => from + Math.max(0, text.slice(from).search(/[0-9]/));

const ownLine = (text: string, start: number): boolean =>
  text
    .slice(text.lastIndexOf('\n', start - 1) + 1, start)
    .replace(LEAD_IN, '')
    .replace(/[\s*_#>-]/g, '') === '';
