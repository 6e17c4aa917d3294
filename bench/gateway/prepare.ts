/**
 * Writes a rubric into a run directory as `prepare` leaves it, and prints the arguments and environment of the vLLM that gavel would start
 * for a model folder: `node prepare.ts RUBRIC.yaml RUN_DIR MODEL PORT`.
 */
import { writeFileSync } from 'node:fs';
import { canonicalRubric, loadRubric } from '../../src/judging/rubric.ts';
import { pathsIn } from '../../src/run-directory/paths.ts';
import { vllmCommand } from '../../src/serving/engines/vllm.ts';

const [rubric, run_dir, path, port] = process.argv.slice(2) as [string, string, string, string];
writeFileSync(pathsIn(run_dir).rubric, canonicalRubric(loadRubric(rubric)));
const serve = {
  dtype: 'float32' as const,
  max_model_len: 1024,
  tensor_parallel_size: 1,
  data_parallel_size: 1,
  gpu_memory_utilization: null,
  extra_args: [],
};
const place = { host: '127.0.0.1', port: Number(port), api_key: '', served_name: 'judge' };
const location = { kind: 'folder', path } as const;
console.log(JSON.stringify(vllmCommand({ ...place, location, serve, allow_args: [], gpus: [] })));
