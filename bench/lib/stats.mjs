export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What a list of rounds comes to; undefined where a round has no figure (CPU of a foreign program, say). */
export function summary(values) {
  if (values.length === 0 || values.some((value) => typeof value !== 'number')) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}
