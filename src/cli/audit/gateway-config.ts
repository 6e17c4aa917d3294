import type { GatewayConfigInput } from '../../contracts/gateway.ts';
import { pathsIn } from '../../run-directory/paths.ts';
import type { Asked } from './contestants.ts';

/** The gateway that asks the endpoints of an audit, whose traces are in `run_dir`. */
export function gatewayConfig(
  place: { run: string; run_dir: string; epoch: number },
  asked: Asked[],
  concurrency: number,
): GatewayConfigInput {
  const roles = asked.map(({ role, modes, endpoint }) => {
    const { url, model, key_env, engine, panel, sampling, chat_template_kwargs, extra_body } = endpoint;
    const { timeout_s, outage_limit_s } = endpoint;
    const settings = {
      ...{ base_url: url, model, engine, panel, sampling, chat_template_kwargs, extra_body, timeout_s, outage_limit_s },
      mode: modes[0],
      concurrency: endpoint.concurrency ?? concurrency,
      api_key_env: key_env,
      // The person at the command line names both the key and where it goes.
      api_key_hosts: [new URL(url).origin],
    };
    return [role, settings];
  });
  return {
    ...place,
    stage: 'audit',
    rubric: pathsIn(place.run_dir).rubric,
    tokenizers: [...new Set(asked.flatMap(({ endpoint }) => endpoint.tokenizers))],
    roles: Object.fromEntries(roles),
  };
}
