/** What the process that is killed writes. */

export const pages = 7;
export const pageBytes = 3_000;

/** Of equal length, whatever the number. */
export function lineOf(number: number): string {
  return `${String(number).padStart(8, '0')} ${'x'.repeat(190)}\n`;
}

export function pageOf(number: number): Buffer {
  return Buffer.from(String(number).padEnd(pageBytes, ','));
}
