export { audit } from './audit.ts';
export { grpo } from './grpo.ts';
export { modelServer } from './model-server.ts';
export { gavelPipeline } from './pipeline.ts';
export { sft } from './sft.ts';
