import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { secretFrom } from '../../config.ts';
import { Contestant } from '../../contracts/audit.ts';
import { baseUrl } from '../../contracts/base-url.ts';
import { EndpointContestant, type FileContestant } from '../../contracts/contestant-file.ts';
import { GradingMode } from '../../contracts/mode.ts';
import { GradingRole } from '../../contracts/trace.ts';
import { bindingOf, isHostOf, type KeyHosts } from '../../key-hosts.ts';
import { CliError, EXIT } from '../exit.ts';
import { loadContestant } from './contestant-file.ts';

/** Who is audited, from the values of --grader, --judge, --base and --contestant. */

/** What the flags of one role say. */
export interface Named {
  /** A URL, a contestant file, or a file of verdicts. */
  value: string;
  model?: string | undefined;
  key_env?: string | undefined;
  /** Modes that a flag asks for. */
  modes?: GradingMode[] | undefined;
}

/** One who is asked through the gateway. */
export interface Asked {
  role: GradingRole;
  modes: GradingMode[];
  endpoint: EndpointContestant;
}

export interface Contestants {
  asked: Asked[];
  brought: { role: string; mode: string; file: string }[];
  headline_mode: string;
}

/** Names that mean something in an audit already. */
const TAKEN = [...GradingRole.options, 'always_pass'];

/** Throws CliError (usage) or UnusableFile. `others` are NAME=FILE; `key_hosts` says where keys that a file names may go. */
export function contestantsOf(
  named: Partial<Record<GradingRole, Named>>,
  others: readonly string[] = [],
  key_hosts: KeyHosts = {},
): Contestants {
  const read = (role: GradingRole, who: Named) => readNamed(role, who, key_hosts);
  const found: Contestants = { asked: [], brought: [], headline_mode: 'single_token' };
  const take = (role: string, who: EndpointContestant | FileContestant, modes: GradingMode[]): string => {
    if ('verdicts' in who) found.brought.push({ role, mode: who.mode, file: who.verdicts });
    else found.asked.push({ role: role as GradingRole, endpoint: who, modes: [...new Set(who.modes ?? modes)] });
    return 'verdicts' in who ? who.mode : ((who.modes ?? modes)[0] as string);
  };
  if (!named.grader) throw usage('--grader: missing; expected a URL, a contestant file or a file of verdicts.');
  found.headline_mode = take('grader', read('grader', named.grader), named.grader.modes ?? ['single_token']);
  // A verdict file has a mode of its own, in which no endpoint can be asked.
  const headline = GradingMode.safeParse(found.headline_mode).data ?? 'single_token';
  if (named.judge) take('judge', read('judge', named.judge), named.judge.modes ?? ['reasoned']);
  if (named.base) take('base', read('base', named.base), [headline]);
  for (const other of others) take(...readOther(other), []);
  const judge = found.asked.find(({ role }) => role === 'judge');
  if (judge && judge.modes.length > 1) {
    throw usage(`--judge: expected one mode, found ${judge.modes.join(', ')}: the grader is compared with one judge.`);
  }
  const seen = new Set<string>();
  for (const { role, mode } of found.brought) {
    if (seen.has(`${role} ${mode}`)) throw usage(`Expected one file of verdicts for ${role} in mode ${mode}, got two.`);
    seen.add(`${role} ${mode}`);
  }
  return found;
}

function readNamed(role: GradingRole, named: Named, key_hosts: KeyHosts): EndpointContestant | FileContestant {
  const { value, model, key_env, modes } = named;
  const flags = Object.entries({ model, 'key-env': key_env }).filter(([, given]) => given !== undefined);
  if (/^https?:\/\//i.test(value)) {
    if (!baseUrl().safeParse(value).success)
      throw usage(`--${role}: expected a URL up to and including /v1, found ${value}.`);
    if (model === undefined) throw usage(`--${role}-model: missing; expected the name of the model at ${value}.`);
    return checked(role, EndpointContestant.parse({ url: value, model, key_env: variable(role, key_env) }));
  }
  const who = file(`--${role}`, value);
  if ('verdicts' in who) {
    const [flag] = [...flags.map(([name]) => `--${role}-${name}`), ...(modes ? [modeFlag(role)] : [])];
    if (flag !== undefined)
      throw usage(`${flag}: expected only for an endpoint; ${value} brings verdicts, and no model is asked.`);
    return who;
  }
  // What is typed now counts more than what was written once.
  const key = variable(role, key_env);
  if (key === null && who.key_env !== null && !isHostOf(who.url, key_hosts[who.key_env] ?? [])) {
    // The author of the file chose both the variable and the host, and may not be the person who audits.
    throw usage(
      `${value}: key_env: expected leave to send ${who.key_env} to ${bindingOf(who.url)}, found none. If it may go there, add ` +
        `--${role}-key-env ${who.key_env}, or set GAVEL_KEYS="${who.key_env}=${bindingOf(who.url)}".`,
    );
  }
  return checked(role, { ...who, ...(model && { model }), ...(key && { key_env: key }), ...(modes && { modes }) });
}

const modeFlag = (role: GradingRole) => (role === 'judge' ? '--judge-mode' : '--mode');

function variable(role: GradingRole, key_env: string | undefined): string | null {
  if (key_env === undefined) return null;
  if (EndpointContestant.shape.key_env.safeParse(key_env).success) return key_env;
  throw usage(
    `--${role}-key-env: expected the name of a variable, say GRADER_KEY, found ${key_env}: never the key itself.`,
  );
}

/** Holds what the endpoint needs of this machine against what is here, before anything is paid. */
function checked(role: GradingRole, endpoint: EndpointContestant): EndpointContestant {
  const { key_env, tokenizers } = endpoint;
  if (key_env !== null && secretFrom(key_env) === null) {
    throw usage(`Expected the key of the ${role} in the variable ${key_env}, found none.`);
  }
  for (const folder of tokenizers) {
    if (existsSync(join(folder, 'tokenizer.json')) || existsSync(join(folder, 'tokenizer_config.json'))) continue;
    throw usage(`tokenizers of the ${role}: expected a model folder with tokenizer.json, found none in ${folder}.`);
  }
  return endpoint;
}

function file(flag: string, value: string): EndpointContestant | FileContestant {
  const path = resolve(value);
  if (!existsSync(path)) {
    throw usage(
      `${flag}: expected a URL (http:// or https://), a contestant file (.yaml, .yml, .json) or a file of verdicts (.jsonl); found no file ${value}.`,
    );
  }
  if (!/\.(?:ya?ml|json)$/i.test(path)) return { verdicts: path, mode: 'file' };
  const who = loadContestant(path);
  if ('verdicts' in who && !existsSync(who.verdicts)) {
    throw usage(`${path}: verdicts: expected a file of verdicts, found none at ${who.verdicts}.`);
  }
  return who;
}

function readOther(other: string): [role: string, FileContestant] {
  const [, name = '', value = ''] = /^([^=]*)=(.+)$/s.exec(other) ?? [];
  if (!Contestant.shape.role.safeParse(name).success || TAKEN.includes(name)) {
    throw usage(
      `--contestant: expected NAME=FILE with a name in lower case (letters, digits, _) that is none of ${TAKEN.join(', ')}; found ${other}.`,
    );
  }
  const who = file('--contestant', value);
  if ('verdicts' in who) return [name, who];
  throw usage(
    `--contestant: expected a file of verdicts, found an endpoint in ${value}: only grader, judge and base can be asked.`,
  );
}

const usage = (message: string): CliError => new CliError(message, { code: EXIT.usage });
