import { dirname, resolve } from 'node:path';
import { EndpointContestant, FileContestant } from '../../contracts/contestant-file.ts';
import { reservedIn } from '../../contracts/spec/reserved.ts';
import type { SpecProblem } from '../../contracts/spec/rule.ts';
import { loadWritten } from '../../spec/written-file.ts';

/** Reads a contestant file; its paths are absolute then. Throws UnusableFile. */
export function loadContestant(path: string): EndpointContestant | FileContestant {
  const beside = (name: string) => resolve(dirname(path), name);
  const contestant = loadWritten<typeof EndpointContestant | typeof FileContestant>(path, {
    what: 'contestant file',
    schema: (value) => (bringsVerdicts(value) ? FileContestant : EndpointContestant),
    rules: endpointRules,
  });
  if ('verdicts' in contestant) return { ...contestant, verdicts: beside(contestant.verdicts) };
  return { ...contestant, tokenizers: contestant.tokenizers.map(beside) };
}

const bringsVerdicts = (value: unknown): boolean => value !== null && typeof value === 'object' && 'verdicts' in value;

/** The rules that a spec's judge keeps, too. */
function endpointRules(value: unknown): SpecProblem[] {
  const endpoint = EndpointContestant.safeParse(value);
  if (!endpoint.success) return [];
  const { extra_body, panel, sampling, modes } = endpoint.data;
  const problems: SpecProblem[] = [];
  const reserved = reservedIn(extra_body);
  if (reserved.length > 0) {
    const message = `expected fields that gavel does not set itself; found ${reserved.join(', ')}`;
    problems.push({ field: 'extra_body', message });
  }
  if (panel.votes > 1 && sampling.temperature === 0) {
    problems.push({ field: 'panel.votes', message: 'expected 1: at sampling.temperature 0 all votes are the same' });
  }
  const greedy = modes?.find((mode) => mode !== 'reasoned');
  if (panel.votes > 1 && greedy) {
    const message = `expected 1: mode ${greedy} reads the probabilities of one token, which are the same in all votes`;
    problems.push({ field: 'panel.votes', message });
  }
  return problems;
}
