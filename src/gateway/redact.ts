/** What keys look like: Bearer headers, vendors' prefixes, `api_key=...`. */
const KEY_LIKE =
  /\b(?:bearer\s+|(?:sk|pk|rk|hf|gsk|xai|key)[-_]|api[-_ ]?key["']?(?:\s+(?:provided|is))?\s*[=:]\s*["']?)[A-Za-z0-9*._~+/-]{6,}=*/gi;

/** One line of foreign text (an upstream's error, say), at most 300 characters, without `secrets` or anything that looks like one. */
export function redact(text: string, secrets: readonly (string | null)[] = []): string {
  let line = text.replace(/\s+/g, ' ').trim();
  for (const secret of secrets) if (secret) line = line.replaceAll(secret, '[redacted]');
  line = line.replace(KEY_LIKE, '[redacted]');
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
