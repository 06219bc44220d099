/** What Node warns of while a test runs, such as too many listeners. */

/** Runs the work and gives the names of the warnings that came of it. */
export async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  const onWarning = (warning: Error): void => {
    names.push(`${warning.name}: ${warning.message}`);
  };
  process.on('warning', onWarning);
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve)); // warnings come a turn later
  } finally {
    process.off('warning', onWarning);
  }
  return names;
}
