import { GatewayConfig, type GatewayConfigInput, type GatewayRole } from '../contracts/gateway.ts';
import type { GradingMode } from '../contracts/mode.ts';
import type { GradeRequest } from '../contracts/trace.ts';
import { controlStrings } from '../judging/control-strings.ts';
import type { Prompting } from '../judging/modes/mode.ts';
import type { LoadedRubric } from '../judging/rubric.ts';
import { type Identity, keyOf, textDigest } from '../ledger/key.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ballotsOf } from './ballots.ts';
import { readEndpoint } from './endpoint.ts';
import { promptingOf } from './prompting.ts';
import { keyed, settingsOf } from './settings.ts';
import type { Role } from './upstream.ts';
import { traceOfText } from './vote.ts';

/** What grading requests would make a gateway ask, told without asking anything. */

/** The calls of one role in one mode. */
export interface Calls {
  role: Role;
  mode: GradingMode;
  /** Grading requests; each makes as many votes as the panel of the role has. */
  requests: number;
  /** Votes that the model is asked for. */
  asked: number;
  /** Votes that the ledger, or an earlier request with the same text, answers. */
  answered: number;
  /** Characters of the messages that are sent. */
  characters: number;
  /** Most tokens that the replies can have. */
  reply_tokens: number;
}

interface Seen extends Calls {
  config: GatewayRole;
  identity: Identity;
  texts: Set<string>;
}

/**
 * Counts the calls that requests would make, by role and mode, in the order in which these come first. Reads the ledger of the
 * gateway's `run_dir`, which need not exist yet. Throws GatewayError where a request cannot be asked.
 */
export async function unanswered(
  input: GatewayConfigInput,
  loaded: LoadedRubric,
  requests: AsyncIterable<GradeRequest>,
): Promise<Calls[]> {
  const config = GatewayConfig.parse(input);
  const control = controlStrings(config.tokenizers);
  const ledger = await Ledger.open(config);
  const found = new Map<string, Seen>();
  try {
    for await (const request of requests) {
      const role = config.roles[request.role] as GatewayRole;
      const mode = request.mode ?? role.mode;
      const name = `${request.role} ${mode}`;
      const seen = found.get(name) ?? begin(request.role, mode, role);
      found.set(name, seen);
      count(seen, request, { loaded, control, ledger });
    }
  } finally {
    await ledger.close();
  }
  return [...found.values()].map(({ config: _, identity: __, texts: ___, ...calls }) => calls);
}

function begin(role: Role, mode: GradingMode, config: GatewayRole): Seen {
  const { model, model_digest, endpoint } = readEndpoint(role, config);
  const zero = { requests: 0, asked: 0, answered: 0, characters: 0, reply_tokens: 0 };
  return { role, mode, ...zero, config, identity: { model, model_digest, endpoint }, texts: new Set() };
}

interface Against {
  loaded: LoadedRubric;
  control: RegExp;
  ledger: Ledger;
}

function count(seen: Seen, request: GradeRequest, { loaded, control, ledger }: Against): void {
  seen.requests += 1;
  const { mode, config } = seen;
  for (const { shown, occasions } of ballotsOf(request, mode, config.panel)) {
    const prompting = promptingOf(loaded.rubric, control, mode, shown);
    for (const occasion of occasions) countVote(seen, occasion, prompting, { loaded, ledger });
  }
}

function countVote(
  seen: Seen,
  occasion: string,
  prompting: Prompting,
  { loaded, ledger }: Pick<Against, 'loaded' | 'ledger'>,
): void {
  const { config, identity, role, mode } = seen;
  const { messages } = prompting;
  const settings = settingsOf(config, prompting);
  const question = { role, ...identity, rubric_digest: loaded.digest, mode, messages };
  if (isAnswered()) {
    seen.answered += 1;
    return;
  }
  seen.asked += 1;
  seen.characters += messages.reduce((sum, { content }) => sum + content.length, 0);
  seen.reply_tokens += settings.max_tokens;

  function isAnswered(): boolean {
    if (ledger.size > 0 && ledger.has(keyOf(question, keyed(settings), occasion))) return true;
    if (settings.temperature > 0) return false;
    const text = textDigest(question);
    if (seen.texts.has(text) || traceOfText(ledger, { question, settings }, text) !== null) return true;
    seen.texts.add(text);
    return false;
  }
}
