import { plainText } from './plain-text.ts';

const patterns: [RegExp, string][] = [
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, '$1 [redacted]'],
  // Quotes and brackets around the value are how Python prints arguments.
  [
    /((?:api[_-]?key|token|secret|password|passwd|authorization)["']?\s*[=:]\s*[["']*)[^\s"',\]})&]{4,}/gi,
    '$1[redacted]',
  ],
  [/(--(?:api-key|hf-token|token|password)[= ]["']?)[^\s"']+/gi, '$1[redacted]'],
  [/\b(sk|hf|ghp|gho|glpat|xox[bap])[-_][A-Za-z0-9_-]{8,}/g, '$1-[redacted]'],
  [/\bAKIA[0-9A-Z]{16}\b/g, '[redacted]'],
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/:@]+:[^\s/@]+@/gi, '$1[redacted]@'],
];

/**
 * `text` without secrets (the values in `secrets` wherever they stand, and whatever looks like a key) and without escape sequences.
 * For all that leaves the machine's logs, i.e. goes into Temporal's history or to a terminal.
 */
export function redact(text: string, secrets: readonly (string | undefined)[] = []): string {
  let clean = plainText(text);
  // Very short values would blank out half of any text.
  for (const secret of secrets) if (secret && secret.length >= 4) clean = clean.replaceAll(secret, '[redacted]');
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement);
  return clean;
}
