import { z } from 'zod';

/** How a verdict is asked for and read. */
export const GradingMode = z.enum(['reasoned', 'single_token']);

export type GradingMode = z.output<typeof GradingMode>;
