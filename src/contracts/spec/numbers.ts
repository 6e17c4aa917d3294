import { z } from 'zod';

/** A whole number from 1 on. */
export const posInt = (description: string) => z.int().min(1).describe(description);
