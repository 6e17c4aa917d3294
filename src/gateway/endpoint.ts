import { readFileSync } from 'node:fs';
import { secretFrom } from '../config.ts';
import type { GatewayRole } from '../contracts/gateway.ts';
import { Endpoint as EndpointFile } from '../contracts/stage.ts';
import { isHostOf, isLoopback, keyRefusal } from '../key-hosts.ts';
import type { Identity } from '../ledger/key.ts';
import { readKey } from '../serving/key-file.ts';
import { judgeMisconfigured } from './errors.ts';

/** Where a role's model is at this moment, and who it is. */
export interface Endpoint extends Identity {
  base_url: string;
  api_key: string | null;
}

/** No place of use is published at the moment: the model is starting, or was moved. Passes once another is published. */
export class NotPublished extends Error {
  override name = 'NotPublished';
}

/** Reads a role's place from its file or its configuration. Throws NotPublished or judge_misconfigured. */
export function readEndpoint(role: string, config: GatewayRole): Endpoint {
  if (config.endpoint_file === null) {
    if (config.base_url === null || config.model === null) {
      throw judgeMisconfigured(`roles.${role}: Expected endpoint_file, or base_url and model, got neither.`);
    }
    const { base_url, model, model_digest } = config;
    const { origin, pathname } = new URL(base_url);
    const endpoint = model_digest === null ? `${origin}${pathname}`.replace(/\/$/, '') : null;
    return { base_url, model, model_digest, endpoint, api_key: keyOf(role, config, base_url) };
  }
  const path = config.endpoint_file;
  let parsed: EndpointFile;
  try {
    // Replaced atomically, so what is there is whole.
    parsed = EndpointFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new NotPublished(`Expected the place of the ${role} in ${path}, got ${code ?? 'no valid endpoint'}.`);
  }
  const model_digest = config.model_digest ?? parsed.model_digest;
  if (parsed.model_digest !== null && parsed.model_digest !== model_digest) {
    throw judgeMisconfigured(`${path}: Expected model digest ${model_digest}, got ${parsed.model_digest}.`);
  }
  return {
    base_url: parsed.base_url,
    model: config.model ?? parsed.model,
    model_digest,
    endpoint: null,
    api_key: parsed.api_key_file === null ? keyOf(role, config, parsed.base_url) : vllmKey(role, config, parsed, path),
  };
}

/**
 * The key of a vLLM that gavel started on this machine. Such a server listens on the loopback alone: a file that names another
 * place would have the key sent there.
 */
function vllmKey(
  role: string,
  { engine }: GatewayRole,
  { base_url, api_key_file }: EndpointFile,
  path: string,
): string {
  if (engine !== 'vllm' || !isLoopback(base_url)) {
    throw new NotPublished(
      `${path}: Expected api_key_file only beside a base_url on this machine, for a ${role} that gavel serves (engine vllm); ` +
        `found ${new URL(base_url).host}, engine ${engine}. The key was not sent.`,
    );
  }
  try {
    return readKey(api_key_file ?? '');
  } catch (error) {
    throw new NotPublished((error as Error).message);
  }
}

/** The role's own key, for the hosts that it is bound to. An endpoint file says where a model is, and never which key it gets. */
function keyOf(role: string, { api_key_env, api_key_hosts, endpoint_file }: GatewayRole, url: string): string | null {
  if (api_key_env === null) return null;
  if (!isHostOf(url, api_key_hosts)) {
    const message = `The key of the ${role} was not sent: ${keyRefusal(api_key_env, url, api_key_hosts)}.`;
    // A person who moved the judge there by mistake can still move it on.
    throw endpoint_file === null ? judgeMisconfigured(message) : new NotPublished(message);
  }
  const key = secretFrom(api_key_env);
  if (key === null) throw judgeMisconfigured(`Expected the ${role}'s key in the variable ${api_key_env}, got nothing.`);
  return key;
}
