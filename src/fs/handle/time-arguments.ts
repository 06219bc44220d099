/** Times as arguments. */

/** Seconds from the forms in which Node takes a time; undefined for anything else. What lies before 1970 is now. */
export function secondsOf(time: unknown): number | undefined {
  if (typeof time === 'string' && time.trim() !== '' && Number.isFinite(Number(time))) return Number(time);
  if (typeof time === 'number' && Number.isFinite(time)) return time < 0 ? Date.now() / 1_000 : time;
  return time instanceof Date ? time.getTime() / 1_000 : undefined;
}
