import { sha256 } from '../ledger/key.ts';

/** Digits of a frame's mark: 64 bits of a digest over the very text that would have to contain it. */
const MARK_DIGITS = 16;

/** What the frame of `text` is marked with. No text contains its own, short of a search through 2^64 of them. */
export const markOf = (text: string): string => sha256(text).slice(0, MARK_DIGITS);

/** `text` between two lines that only it has, so that it cannot say where it ends. */
export function framed(text: string): string {
  const mark = markOf(text);
  return `[begin ${mark}]\n${text}\n[end ${mark}]`;
}
