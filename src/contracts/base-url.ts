import { z } from 'zod';

/**
 * URL of a model server, up to and including /v1. Printable ASCII alone: parsers of URLs let control characters pass, and terminals
 * obey them.
 */
export const baseUrl = () => z.url({ protocol: /^https?$/ }).regex(/^[!-~]+$/);
