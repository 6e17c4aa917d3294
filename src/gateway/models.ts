import { GatewayError } from './errors.ts';
import type { Role, Upstream } from './upstream.ts';

type Upstreams = Partial<Record<Role, Upstream>>;

interface ModelEntry {
  id: string;
  object: 'model';
  created: number;
  owned_by: 'gavel';
}

/** What a client may put into `model`: each role's name, and the name of the model behind it. */
export function listModels(upstreams: Upstreams): ModelEntry[] {
  const ids = new Set<string>();
  for (const upstream of Object.values(upstreams)) {
    ids.add(upstream.role);
    const model = upstream.identityNow()?.model;
    if (model) ids.add(model);
  }
  return [...ids].map((id) => ({ id, object: 'model', created: 0, owned_by: 'gavel' }));
}

export function findModel(upstreams: Upstreams, id: unknown): Upstream {
  const roles = Object.values(upstreams);
  const found = roles.find(({ role }) => role === id) ?? roles.find((upstream) => upstream.identityNow()?.model === id);
  if (found) return found;
  const known = listModels(upstreams).map((model) => model.id);
  throw new GatewayError(
    404,
    'model_not_found',
    `model: Expected one of ${known.join(', ')}, got ${JSON.stringify(id)}.`,
  );
}
