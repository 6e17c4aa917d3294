import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig, pythonEnv } from '../../src/config.ts';
import { childEnvironment } from '../../src/process/environment.ts';
import { passedOn } from '../../src/process/passed-on.ts';
import { startChild } from '../../src/process/start-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const children = fileURLToPath(new URL('../fixtures/children', import.meta.url));
const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));

describe('a key whose name begins as a tuning variable does', () => {
  it('reaches no child where GAVEL_KEYS binds it to a host', () => {
    const parent = { GAVEL_KEYS: 'VLLM_FOR_JUDGE=judge.example', VLLM_FOR_JUDGE: 'secret', VLLM_LOGGING_LEVEL: 'INFO' };
    expect(passedOn(parent)).toEqual({ VLLM_LOGGING_LEVEL: 'INFO' });
  });

  it.each(['VLLM_API_KEYS', 'VLLM_KEY_JUDGE', 'HF_PAT', 'VLLM_JUDGE_PASS', 'TORCHINDUCTOR_REDIS_URL'])(
    'reaches no child by the name %s',
    (name) => {
      expect(passedOn({ [name]: 'secret' })).toEqual({});
    },
  );
});

describe('what a person sets for the libraries', () => {
  it.each([
    'PYTORCH_CUDA_ALLOC_CONF',
    'PYTORCH_ALLOC_CONF',
    'CUDA_VISIBLE_DEVICES',
    'CUDA_DEVICE_MAX_CONNECTIONS',
    'CUBLAS_WORKSPACE_CONFIG',
    'NCCL_DEBUG',
    'TORCH_NCCL_ASYNC_ERROR_HANDLING',
    'TORCH_ALLOW_TF32_CUBLAS_OVERRIDE',
    'TORCHINDUCTOR_CACHE_DIR',
    'TRITON_CACHE_DIR',
    'VLLM_CACHE_ROOT',
    'VLLM_LOGGING_LEVEL',
    'VLLM_USE_DEEP_GEMM',
    'VLLM_MULTI_STREAM_GEMM_TOKEN_THRESHOLD',
    'VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE',
    'VLLM_ALLOW_LONG_MAX_MODEL_LEN',
    'VLLM_ALLREDUCE_USE_FLASHINFER_PCIE_IPC',
    'HF_HOME',
    'HF_TOKEN_PATH',
    'HF_HUB_DOWNLOAD_TIMEOUT',
    'HF_XET_HIGH_PERFORMANCE',
    'SSL_CERT_FILE',
    'REQUESTS_CA_BUNDLE',
    'NODE_EXTRA_CA_CERTS',
  ])('reaches every child: %s', (name) => {
    expect(passedOn({ [name]: 'value' })).toEqual({ [name]: 'value' });
  });
});

describe('what no child gets from the environment', () => {
  it.each([
    // Keys.
    'HF_TOKEN',
    'HF_API_TOKEN',
    'HF_TOKEN_OF_A_FRIEND',
    'VLLM_API_KEY',
    'NCCL_SECRET',
    'NVIDIA_API_KEY',
    'OPENAI_API_KEY',
    'JUDGE_API_KEY',
    'AWS_SECRET_ACCESS_KEY',
    // Permissions.
    'VLLM_ALLOW_RUNTIME_LORA_UPDATING',
    'VLLM_ALLOW_INSECURE_SERIALIZATION',
    'VLLM_SERVER_DEV_MODE',
    'VLLM_LORA_RESOLVER_HF_REPO_LIST',
    'HF_DATASETS_TRUST_REMOTE_CODE',
    'HF_ALLOW_CODE_EVAL',
    'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD',
    // Addresses.
    'VLLM_PORT',
    'VLLM_PORT_8000_TCP_ADDR',
    'VLLM_SERVICE_HOST',
    'VLLM_HOST_IP',
    'VLLM_NIXL_SIDE_CHANNEL_HOST',
    // Another model or engine than the spec's.
    'VLLM_MODEL_REDIRECT_PATH',
    'VLLM_USE_MODELSCOPE',
    'VLLM_TARGET_DEVICE',
    'VLLM_DP_RANK',
    // Code in every process.
    'NODE_OPTIONS',
    'LD_PRELOAD',
    'PYTHONSTARTUP',
    'NODE_TLS_REJECT_UNAUTHORIZED',
  ])('%s', (name) => {
    expect(passedOn({ [name]: 'value' })).toEqual({});
  });

  it('what gavel sets itself stands, whatever the environment says', () => {
    const given = { VLLM_NO_USAGE_STATS: '1', CUDA_VISIBLE_DEVICES: 'GPU-1' };
    const env = childEnvironment(given, { VLLM_NO_USAGE_STATS: '0', CUDA_VISIBLE_DEVICES: '0,1,2' });
    expect(env).toMatchObject(given);
  });

  it('the token of the hub goes to Python children, which download models, and to no other', () => {
    const parent = { HF_TOKEN: 'hf_token' };
    expect(childEnvironment({}, parent)).not.toHaveProperty('HF_TOKEN');
    expect(pythonEnv(loadConfig({}), false, parent)).toHaveProperty('HF_TOKEN', 'hf_token');
  });

  it('Python children are told which GPUs only stand in for real ones', () => {
    expect(pythonEnv(loadConfig({ GAVEL_GPUS: 'a,b' }), false, {})).toHaveProperty('GAVEL_GPUS', 'a,b');
    expect(pythonEnv(loadConfig({}), false, {})).not.toHaveProperty('GAVEL_GPUS');
  });
});

describe('behind a proxy', () => {
  it.each([
    ['no list', {}, '127.0.0.1,localhost'],
    ['a list', { NO_PROXY: 'judge.site, .intern' }, 'judge.site,.intern,127.0.0.1,localhost'],
    ['two lists, as Python reads them', { NO_PROXY: 'upper', no_proxy: 'lower' }, 'lower,127.0.0.1,localhost'],
    ['every host', { no_proxy: '*' }, '*'],
  ])('loopback is excepted beside %s', (_, list, expected) => {
    const env = passedOn({ https_proxy: 'http://proxy:3128', ...list });
    expect(env).toMatchObject({ https_proxy: 'http://proxy:3128', NO_PROXY: expected, no_proxy: expected });
  });

  it('nothing is said of proxies where there is none', () => {
    expect(passedOn({ NO_PROXY: 'somewhere' })).toEqual({});
  });

  // Its import of httpx takes a second on a busy machine, and more on its first start.
  it.each([
    ['Node', process.execPath, 'fetches.mjs'],
    ['Python', python, 'fetches.py'],
  ])(
    'a child in %s asks the proxy for other hosts and gavel itself for its own servers',
    { timeout: 60_000 },
    async (_, command, file) => {
      const heard: string[] = [];
      const proxy = await listening((request, response) => {
        heard.push(request.url ?? '');
        response.end('by proxy');
      });
      // Node opens a tunnel for http as well.
      proxy.server.on('connect', (request, socket) => {
        heard.push(`http://${request.url}`);
        socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      });
      const own = await listening((_, response) => response.end('itself'));
      for (const name of ['HTTP_PROXY', 'http_proxy']) vi.stubEnv(name, proxy.url);
      for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '');
      onTestFinished(() => void vi.unstubAllEnvs());
      const folder = temporaryFolder('proxy');
      const fetched: unknown[] = [];
      const child = startChild({
        name: 'asks',
        command,
        args: [join(children, file), `${own.url}/v1`, 'http://judge.example/v1'],
        cwd: folder,
        env: {},
        logPath: join(folder, 'log'),
        tag: 'test/proxy',
        onEvent: ({ outcomes }) => fetched.push(outcomes),
      });
      expect((await child.exited).code).toBe(0);
      expect(fetched).toEqual([['200 itself', expect.any(String)]]);
      expect(heard).toHaveLength(1);
      expect(heard[0]).toContain('judge.example');
    },
  );
});

async function listening(answer: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
