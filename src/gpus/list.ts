import { execa } from 'execa';
import type { Config } from '../config.ts';

export interface Gpu {
  uuid: string;
  index: number;
  name: string;
  memory_mib: number;
  /** The processes that use it now, in words; null where none does. */
  used_by: string | null;
}

/** Memory that an idle GPU may show as used: the driver's own, below 1 GiB on every known card. */
const idleMib = 1024;

const ANSWER_MS = 20_000;

type Query = (fields: string) => Promise<string>;

/** nvidia-smi gave no answer: how many GPUs the machine has is unknown, which is not the same as none. */
export class GpusUnknown extends Error {
  override name = 'GpusUnknown';
}

/** Asks nvidia-smi; an empty answer where there is no such program. */
export const askNvidiaSmi: Query = async (fields) => {
  const { stdout, stderr, failed, code, exitCode, timedOut } = await execa(
    'nvidia-smi',
    [fields, '--format=csv,noheader,nounits'],
    // A wedged driver makes nvidia-smi hang.
    { reject: false, timeout: ANSWER_MS },
  );
  if (!failed) return stdout;
  if (code === 'ENOENT') return '';
  const how = timedOut ? `gave no answer in ${ANSWER_MS / 1000} s` : `failed with ${code ?? `exit status ${exitCode}`}`;
  // It writes most of its errors to standard output.
  const [said] = `${stderr}\n${stdout}`.trim().split('\n', 1);
  throw new GpusUnknown(
    `Expected \`nvidia-smi ${fields}\` to list the GPUs, but it ${how}${said ? `: ${said}` : ''}. Check the driver.`,
  );
};

/**
 * The GPUs that this node may use, by UUID, in the order of `visible` (CUDA_VISIBLE_DEVICES: indexes in bus order, or UUIDs;
 * null allows all). `injected` (the ids in GAVEL_GPUS) stands in for nvidia-smi: such GPUs are always idle.
 * No nvidia-smi, no GPUs: an empty list. Throws GpusUnknown where it fails.
 */
export async function listGpus({
  visible,
  injected,
  query = askNvidiaSmi,
}: {
  visible?: string | null;
  injected?: readonly string[] | null;
  query?: Query;
} = {}): Promise<Gpu[]> {
  if (injected) {
    return injected.map((uuid, index) => ({ uuid, index, name: 'given', memory_mib: 0, used_by: null }));
  }
  const [cards, processes] = await Promise.all([
    query('--query-gpu=uuid,index,name,memory.total,memory.used'),
    query('--query-compute-apps=gpu_uuid,pid,process_name'),
  ]);
  const users = new Map<string, string>();
  for (const [uuid, pid, command] of rows(processes)) {
    if (uuid) users.set(uuid, `${users.has(uuid) ? `${users.get(uuid)}, ` : ''}pid ${pid} (${command})`);
  }
  const gpus = rows(cards).map(([uuid = '', index, name = '', total, used]) => ({
    uuid,
    index: Number(index),
    name,
    // [N/A] on chips that share the machine's memory.
    memory_mib: Number(total) || 0,
    // Inside a container nvidia-smi does not list the processes of others; their memory still shows.
    used_by: users.get(uuid) ?? (Number(used) > idleMib ? `an unseen process with ${used} MiB` : null),
  }));
  return within(gpus, visible);
}

/** How many GPUs this machine may use, for a message: 0 where nvidia-smi fails. */
export const countGpus = ({
  gpus,
  cuda_visible_devices,
}: Pick<Config, 'gpus' | 'cuda_visible_devices'>): Promise<number> =>
  listGpus({ injected: gpus, visible: cuda_visible_devices }).then(
    ({ length }) => length,
    () => 0,
  );

const rows = (csv: string) =>
  csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((cell) => cell.trim()));

/** What CUDA itself makes of the variable: in its order, a prefix of a UUID will do, and it stops at the first unknown entry. */
function within(gpus: Gpu[], visible: string | null | undefined) {
  if (visible === undefined || visible === null) return gpus;
  const allowed: Gpu[] = [];
  for (const entry of visible.split(',').map((part) => part.trim())) {
    const found = /^\d+$/.test(entry)
      ? gpus.find((gpu) => gpu.index === Number(entry))
      : gpus.find((gpu) => entry !== '' && gpu.uuid.startsWith(entry));
    if (!found || allowed.includes(found)) break;
    allowed.push(found);
  }
  return allowed;
}
