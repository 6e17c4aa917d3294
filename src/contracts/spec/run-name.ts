import { z } from 'zod';

/** Run names become folder names and workflow ids, so they hold nothing that a path or a URL would read. */
export const RunName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
  .describe('Lower-case letters, digits, ".", "_" and "-", at most 63 of them, a letter or digit first.');
