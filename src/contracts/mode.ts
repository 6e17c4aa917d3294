import { z } from 'zod';

/** How a verdict is asked for and read. Of these only `reasoned` has the model write its reasons; `pairwise` compares two completions. */
export const GradingMode = z.enum(['reasoned', 'single_token', 'choice', 'pairwise']);

export type GradingMode = z.output<typeof GradingMode>;
