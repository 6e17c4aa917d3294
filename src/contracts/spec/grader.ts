import { z } from 'zod';
import { servedFields } from './served.ts';

/** The grader has no model of its own: SFT makes it from `base`. */
export const GraderSpec = z.strictObject({
  ...servedFields,
});

export type GraderSpec = z.output<typeof GraderSpec>;
