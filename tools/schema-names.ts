import { z } from 'zod';

/**
 * The name of every object schema of the contracts: that of its export, or, inside another object, the name of that
 * object and of the field (`AuditTruth`). Without one the generator of the Python models counts: `Truth1`, `Truth2`.
 */
export function schemaNames(modules: object[]): Map<z.ZodType, string> {
  const names = new Map<z.ZodType, string>();
  for (const module of modules) {
    for (const [name, value] of Object.entries(module)) if (value instanceof z.ZodType) take(names, value, name);
  }
  for (const [schema, name] of [...names]) nameNested(names, schema, name);
  return names;
}

function take(names: Map<z.ZodType, string>, schema: z.ZodType, name: string): void {
  for (const [other, taken] of names) {
    if (taken === name && other !== schema) throw new Error(`Expected one schema named ${name}, got two: rename one.`);
  }
  names.set(schema, name);
}

function nameNested(names: Map<z.ZodType, string>, schema: z.ZodType, name: string): void {
  for (const [field, inner] of parts(schema)) {
    // `.describe()` copies a schema; the name belongs to what was described.
    const original = originOf(inner);
    const own = field === '' ? name : `${name}${pascal(field)}`;
    if (names.has(original)) continue;
    if (original instanceof z.ZodObject) take(names, original, own);
    nameNested(names, original, own);
  }
}

function originOf(schema: z.ZodType): z.ZodType {
  const parent = schema._zod.parent;
  return parent instanceof z.ZodType ? originOf(parent) : schema;
}

/** The schemas that one is made of, each with the field that it stands in ('' where there is none). */
function parts(schema: z.ZodType): [string, z.ZodType][] {
  if (schema instanceof z.ZodObject) return Object.entries(schema.shape) as [string, z.ZodType][];
  if (schema instanceof z.ZodArray) return [['', schema.element as z.ZodType]];
  if (schema instanceof z.ZodRecord) return [['', schema.valueType as z.ZodType]];
  if (schema instanceof z.ZodUnion) return (schema.options as z.ZodType[]).map((option) => ['', option]);
  if (schema instanceof z.ZodTuple) return (schema.def.items as z.ZodType[]).map((item) => ['', item]);
  if (
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return [['', schema.unwrap() as z.ZodType]];
  }
  return [];
}

const pascal = (field: string): string =>
  field
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
