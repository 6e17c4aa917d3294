import { z } from 'zod';

/** What a task's verifier makes of sample answers, found out before anything is trained. */

/** `verify-request.json`: what `gavel_train.tasks.dry_run` needs besides the spec. */
export const VerifyRequest = z.strictObject({
  rows: z.int().min(1).describe('Rows whose answers are listed.'),
  answers: z.string().nullable().describe('JSON lines of id or prompt, and completion; null: only made-up answers.'),
});

/** One answer, what was read in it and what the verifier says. */
export const VerifiedAnswer = z.strictObject({
  row: z.string().describe('Id of the row.'),
  kind: z
    .enum(['truth', 'phrasing', 'other_truth', 'given'])
    .describe(
      'truth: as the verifier asks for it; phrasing: as a model may say it; other_truth: the truth of another row; given: from the file.',
    ),
  truth: z.string(),
  completion: z.string(),
  read: z.string().nullable().describe('What was taken for the answer; null: nothing, or the verifier does not say.'),
  value: z.number().min(0).max(1).describe('1 right, 0 wrong.'),
});

/** `verify.json`. */
export const VerifyReport = z.strictObject({
  verifier: z.string().nullable().describe('null: nothing checks answers, and the judge alone rewards.'),
  checked: z.int().min(0).describe('Rows whose truth was checked: all that have one.'),
  without_truth: z.int().min(0).describe('Rows without ground truth, where the judge alone rewards.'),
  refused_truths: z.array(z.string()).describe('Ids of rows whose own truth is judged wrong; the first hundred.'),
  refused: z.int().min(0).describe('How many there are.'),
  others: z.int().min(0).describe('Answers made from the truth of another row.'),
  others_taken: z.int().min(0).describe('How many of them are judged right.'),
  answers: z.array(VerifiedAnswer),
});

export type VerifiedAnswer = z.output<typeof VerifiedAnswer>;
export type VerifyReport = z.output<typeof VerifyReport>;
export type VerifyRequest = z.output<typeof VerifyRequest>;
