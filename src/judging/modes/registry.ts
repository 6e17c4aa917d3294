import type { GradingMode } from '../../contracts/mode.ts';
import { choice } from './choice.ts';
import type { Mode } from './mode.ts';
import { pairwise } from './pairwise.ts';
import { reasoned } from './reasoned.ts';
import { singleToken } from './single-token.ts';

export const modes: Record<GradingMode, Mode> = { reasoned, single_token: singleToken, choice, pairwise };
