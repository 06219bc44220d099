/** JSON files, with the options of fs-extra. */

import { argumentType } from '../handle/argument-errors.ts';
import { optionsObject } from './call-options.ts';
import {
  type Caller,
  readFileCall,
  readFileOptionNames,
  writeFileCall,
  writeFileOptionNames,
} from './content-calls.ts';
import { asStated } from './errors.ts';
import { pathText } from './path-rules.ts';

export interface JsonFormat {
  /** As the third argument of `JSON.stringify`. */
  spaces?: string | number | undefined;
  /** End of line. Default `\n`. */
  EOL?: string | undefined;
  /** Whether the text ends with `EOL`. Default true. */
  finalEOL?: boolean | undefined;
  replacer?:
    | ((this: unknown, key: string, value: unknown) => unknown)
    | (string | number)[]
    | null
    | undefined;
}

export type JsonReviver = (this: unknown, key: string, value: unknown) => unknown;

/** @throws TypeError for what has no JSON form */
function jsonText(value: unknown, { EOL = '\n', finalEOL = true, replacer, spaces }: JsonFormat): string {
  const text = JSON.stringify(value, replacer as (string | number)[] | null | undefined, spaces) as
    | string
    | undefined;
  if (text === undefined) throw argumentType('data', 'something that has a JSON form', value);
  return text.replaceAll('\n', EOL) + (finalEOL ? EOL : '');
}

/**
 * Parses the text of a file.
 * @throws SyntaxError that names the file and, unlike that of `JSON.parse`, quotes nothing of it: it is plaintext
 */
function parseJson(path: string, text: string, reviver: JsonReviver | undefined): unknown {
  // A byte-order mark is not part of the text.
  const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  try {
    return JSON.parse(json, reviver);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const position = / position (\d+)/.exec(error.message)?.[1];
    const where = position === undefined ? '' : ` at position ${position}`;
    throw asStated(new SyntaxError(`${path}: not valid JSON${where}`));
  }
}

const jsonOptionNames = ['spaces', 'EOL', 'finalEOL', 'replacer'] as const;

/** The options of `readFile` and of `writeFile` among those of a call about JSON. */
function fileOptions(
  given: Readonly<Record<string, unknown>>,
  own: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !own.includes(name)));
}

export async function readJsonCall(caller: Caller, path: unknown, options: unknown): Promise<unknown> {
  const own = ['reviver', 'throws'];
  const given = optionsObject('readJson', options, [...readFileOptionNames, ...own]);
  const { encoding = 'utf8', reviver, throws = true } = given;
  const content = await readFileCall(caller, path, { ...fileOptions(given, own), encoding });
  try {
    return parseJson(pathText(path), content.toString(), reviver as JsonReviver | undefined);
  } catch (error) {
    if (throws === false && error instanceof SyntaxError) return null;
    throw error;
  }
}

export async function writeJsonCall(
  caller: Caller,
  path: unknown,
  value: unknown,
  options: unknown,
): Promise<void> {
  const given = optionsObject('writeJson', options, [...writeFileOptionNames, ...jsonOptionNames]);
  await writeFileCall(caller, path, jsonText(value, given), fileOptions(given, jsonOptionNames));
}
