import type { GradeRequest } from '../contracts/trace.ts';

/** What is judged: one completion of a prompt. `ground_truth` is shown only where the rubric is reference-guided. */
export type Subject = Pick<GradeRequest, 'prompt' | 'completion' | 'ground_truth'>;
