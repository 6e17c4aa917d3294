import { passedOn } from './passed-on.ts';

/** Environment variable that names what a process belongs to: <node>:<run directory>/<stage>/e<epoch>. */
export const TAG = 'GAVEL_TAG';
/** Environment variable that names the process that started it: a pid and when that started. */
export const OWNER = 'GAVEL_OWNER';
/** Environment variable that names the one child, and its descendants, among those with the same tag. */
export const CHILD = 'GAVEL_CHILD';

/**
 * The whole environment of a child: the allow-list from `parent`, then `given` on top.
 * This process's environment is only passed on here, never read as configuration.
 */
export function childEnvironment(given: Record<string, string | undefined>, parent: NodeJS.ProcessEnv = process.env) {
  const env = passedOn(parent);
  for (const [name, value] of Object.entries(given)) if (value !== undefined) env[name] = value;
  // setproctitle, which vLLM uses, otherwise overwrites the memory behind /proc/PID/environ, and with it the tag.
  env.SPT_NOENV ??= '1';
  env.PYTHONUNBUFFERED ??= '1';
  return env;
}
