import { canonicalJson, sha256 } from '../ledger/key.ts';

/** Digits of a frame's mark: 64 bits of a digest over the very texts that would have to contain it. */
const MARK_DIGITS = 16;

/**
 * What the frame is marked with in messages that show `texts`. None of them contains the mark, short of a search through 2^64, not
 * even where one person wrote them all: the texts outside the frame could otherwise hold a second, false one.
 */
export const markOf = (texts: readonly string[]): string => sha256(canonicalJson(texts)).slice(0, MARK_DIGITS);

/** `text` between two lines with a mark that it does not contain, so that it cannot say where it ends. */
export const framed = (text: string, mark: string): string => `[begin ${mark}]\n${text}\n[end ${mark}]`;
