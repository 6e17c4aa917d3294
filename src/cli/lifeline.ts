/**
 * Ends this command as SIGTERM would when the wrapper in bin/ that started it has ended, for any reason: the channel between the
 * two closes then. Started without the wrapper, there is no channel and nothing to watch.
 */
export function endWithWrapper(): void {
  if (!process.channel) return;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // The channel alone must not keep a finished command running.
  process.channel.unref();
}
