import type { GradeRequest } from '../contracts/trace.ts';

/**
 * What is judged: one completion of a prompt or, with an `opponent`, two, of which `completion` is shown first. `ground_truth` is shown only where
 * the rubric is reference-guided.
 */
export type Subject = Pick<GradeRequest, 'prompt' | 'completion' | 'ground_truth'> & { opponent?: string | null };
