import { redact } from '../redact.ts';

/** Foreign text (an upstream's error, say) as one line of at most 300 characters, without `secrets` or what looks like one. */
export function errorLine(text: string, secrets: readonly (string | null)[] = []): string {
  const known = secrets.filter((secret) => secret !== null);
  const line = redact(text.replace(/\s+/g, ' ').trim(), known);
  // A cut may go through an emoji; half of one is no text.
  return (line.length > 300 ? `${line.slice(0, 299)}…` : line).toWellFormed();
}
