import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** Root of the clone. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Text of a file of the clone. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** All documents of the Kubernetes manifests, by `Kind/name`. */
export function manifests(): Map<string, Record<string, unknown>> {
  const folder = 'temporal-config/kubernetes';
  const found = new Map<string, Record<string, unknown>>();
  for (const name of readdirSync(join(root, folder))) {
    if (name === 'kustomization.yaml') continue;
    for (const document of parseAllDocuments(read(`${folder}/${name}`))) {
      if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]?.message}`);
      const manifest = document.toJS();
      found.set(`${manifest.kind}/${manifest.metadata.name}`, manifest);
    }
  }
  return found;
}

/** Seconds after which a worker that got SIGTERM is gone, whatever its activities do. */
export const SHUTDOWN_S = Number(/shutdownForceTime: '(\d+)s'/.exec(read('src/worker.ts'))?.[1]);

/** Path of a checker in the clone's Python environment, else on PATH; null where it is not installed. */
export function checker(name: string): string | null {
  const folders = [join(root, '.venv/bin'), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}
