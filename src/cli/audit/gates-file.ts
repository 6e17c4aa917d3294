import { z } from 'zod';
import { GateSpec, hasOneBound } from '../../contracts/spec/audit.ts';
import type { SpecProblem } from '../../contracts/spec/rule.ts';
import { loadWritten } from '../../spec/written-file.ts';

const Gates = z.array(GateSpec).min(1);

/** Reads a list of gates, YAML or JSON. Throws UnusableFile, which names every problem. */
export function loadGates(path: string): GateSpec[] {
  return loadWritten(path, {
    what: 'list of gates',
    schema: Gates,
    rules: (list) => (Array.isArray(list) ? list.flatMap(withoutOneBound) : []),
  });
}

function withoutOneBound(value: unknown, at: number): SpecProblem[] {
  const gate = GateSpec.safeParse(value);
  if (!gate.success || hasOneBound(gate.data)) return [];
  const found = gate.data.at_least === null ? 'neither' : 'both';
  return [{ field: String(at), message: `expected one of at_least and at_most; found ${found}` }];
}
