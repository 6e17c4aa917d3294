import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Endpoint, EpochRecord, Manifest } from '../../../src/contracts/stage.ts';
import type { RunPaths } from '../../../src/run-directory/paths.ts';

/** What lies in a run directory, read without gavel's own readers where these would mend or judge it. */

/** Manifests from checkpoint `name` back to its first ancestor; null, and the end, where one cannot be read. */
export function* chainFrom(
  paths: RunPaths,
  stage: string,
  name: string | null,
): Generator<{ name: string; folder: string; manifest: Manifest | null }> {
  while (name !== null) {
    const folder = paths.stage(stage).checkpoint(name);
    const text = read(join(folder, 'manifest.json'));
    const manifest = text === null ? null : (Manifest.safeParse(JSON.parse(text)).data ?? null);
    yield { name, folder, manifest };
    name = manifest?.parent ?? null;
  }
}

/** `epoch.json` of an epoch; null where there is none that can be read. */
export function recordOf(paths: RunPaths, stage: string, epoch: number): EpochRecord | null {
  const text = Number.isFinite(epoch) && epoch > 0 ? read(paths.stage(stage).epoch(epoch).record) : null;
  return text === null ? null : (EpochRecord.safeParse(JSON.parse(text)).data ?? null);
}

/** Numbers of the epochs in a folder, as their names. */
export const list = (folder: string) =>
  existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+$/.test(name)) : [];

/** Process that serves `role` by what its endpoint says; null where nobody does, or somebody who is not gavel's. */
export function servedBy(paths: RunPaths, role: string): number | null {
  const text = read(paths.endpoint(role));
  return text === null ? null : (Endpoint.safeParse(JSON.parse(text)).data?.pid ?? null);
}

/** A file's text; null where it is not there. */
export function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
