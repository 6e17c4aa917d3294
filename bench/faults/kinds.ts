import type { FaultKind } from './fault-kind.ts';
import { damageFaults } from './kinds-damage.ts';
import { killFaults } from './kinds-kill.ts';
import { outsideFaults } from './kinds-outside.ts';
import { personFaults } from './kinds-person.ts';

/** Every kind of fault that a campaign injects. */
export const KINDS: readonly FaultKind[] = [...killFaults, ...damageFaults, ...outsideFaults, ...personFaults];
