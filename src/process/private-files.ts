/**
 * Traces, prompts, model text and logs are for the user alone who runs gavel: files and folders that this process makes from here
 * on are closed to everybody else (600 and 700), and so are those of its children, which inherit the mask.
 */
export function keepFilesPrivate(): void {
  process.umask(0o077);
}
