import { Chalk } from 'chalk';
import { loadConfig } from '../config.ts';

/** Colours for standard output; none where NO_COLOR is set or no terminal reads. */
export const paint = new Chalk({ level: loadConfig().color ? 1 : 0 });

const pictures = { PASS: paint.green, FAIL: paint.red, INCONCLUSIVE: paint.yellow };

/** An audit's verdict in its colour. */
export const paintVerdict = (verdict: keyof typeof pictures): string => pictures[verdict](verdict);
