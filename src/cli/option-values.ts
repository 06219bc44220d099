/** Values of options that need more than commander's own parsing. */

import type { Context } from '../kms/provider.ts';
import { invalidArgument } from '../options.ts';

/** One more `K=V`; the value may hold further `=`. */
export function addContextPair(pair: string, context: Context = {}): Context {
  const at = pair.indexOf('=');
  if (at < 1)
    throw invalidArgument(
      `--context ${pair} is not KEY=VALUE`,
      'for example: --context app=shop --context tenant=42',
    );
  const key = pair.slice(0, at);
  if (Object.hasOwn(context, key)) throw invalidArgument(`--context gives ${JSON.stringify(key)} twice`);
  // defineProperty: a key may be called __proto__.
  return Object.defineProperty({ ...context }, key, {
    value: pair.slice(at + 1),
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

export function addKeyId(id: string, ids: readonly string[] = []): readonly string[] {
  return [...ids, id];
}

export function addUri(uri: string, uris: readonly string[] = []): readonly string[] {
  return [...uris, uri];
}

export function wholeNumber(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw invalidArgument(`${name} ${text} is not a whole number from ${least} to ${most}`);
  };
}
