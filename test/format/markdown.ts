/** How the worked examples print values and tables. */

import type { Part } from '../adversarial/sealed-map.ts';

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const count = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',');
export const code = (text: string): string => `\`${text}\``;

export function row(...cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** The first two lines of a table. */
export function head(...names: readonly string[]): string[] {
  return [row(...names), row(...names.map(() => '---'))];
}

export function bytesOf(sealed: Uint8Array, part: Part): string {
  const value = hex(sealed.subarray(part.offset, part.offset + part.bytes));
  return /^(00)+$/.test(value) && part.bytes > 8 ? `${count(part.bytes)} zeros` : code(value);
}
