import { z } from 'zod';

/** How a verdict is asked for and read. Of these only `reasoned` has the model write its reasons. */
export const GradingMode = z.enum(['reasoned', 'single_token', 'choice']);

export type GradingMode = z.output<typeof GradingMode>;
