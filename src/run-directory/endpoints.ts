import { mkdir, rm } from 'node:fs/promises';
import { Endpoint } from '../contracts/stage.ts';
import { readContractIfAny, writeAtomic } from './files.ts';
import type { RunPaths } from './paths.ts';

/** Says where the served model `role` is now. Readers see the old place or the new one, never a half. */
export async function publishEndpoint(paths: RunPaths, role: string, endpoint: Endpoint) {
  await mkdir(paths.endpoints, { recursive: true });
  await writeAtomic(paths.endpoint(role), Endpoint.parse(endpoint));
}

/** Where `role` is served now; null where it is not. */
export const readEndpoint = (paths: RunPaths, role: string): Promise<Endpoint | null> =>
  readContractIfAny(paths.endpoint(role), Endpoint);

/** Takes back what `publishEndpoint` said, unless a newer server (another pid or host) has published since. */
export async function withdrawEndpoint(paths: RunPaths, role: string, own: { pid: number | null; host: string }) {
  const now = await readEndpoint(paths, role).catch(() => null);
  if (now && now.pid === own.pid && now.host === own.host) await rm(paths.endpoint(role), { force: true });
}
