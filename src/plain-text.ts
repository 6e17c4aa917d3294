// The workflow bundle holds this file, so it does without node:util and its stripVTControlCharacters.

/** Escape sequences of ECMA-48: commands with a text (title, clipboard, link) up to its end, control sequences, and the short ones. */
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
  /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above.
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
/** Marks that turn the direction of what follows, so that a line reads otherwise than it is. */
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * `text` as a terminal may show it: without escape sequences, which move the cursor, set the clipboard or the title, and without
 * other control characters. Line breaks and tabs stay.
 */
export const plainText = (text: string): string =>
  text.replace(ESCAPES, '').replace(CONTROL, '').replace(DIRECTION, '');

/** JSON of `value` with the control characters escaped that JSON lets through. */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** `value` with every string in it plain. */
export function plainDeep<T>(value: T): T {
  if (typeof value === 'string') return plainText(value) as T;
  if (Array.isArray(value)) return value.map(plainDeep) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [plainText(key), plainDeep(part)])) as T;
}
