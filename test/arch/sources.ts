/** What the architecture tests know of a source file: its imports and its uses of `process.exit`, by syntax tree. */

import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';

export interface ImportUse {
  /** As written; `undefined` where the name is computed at run time. */
  readonly specifier: string | undefined;
  readonly line: number;
}

export interface ParsedSource {
  readonly imports: readonly ImportUse[];
  /** Lines that end the process, set its exit code, or take the means to do so out of `process`. */
  readonly exitLines: readonly number[];
}

/** Every .ts file below `folder` of the repository, by its path below that folder with `/`. */
export function readSources(folder: string): Map<string, string> {
  const root = fileURLToPath(new URL(`../../${folder}/`, import.meta.url));
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) =>
    path.replaceAll('\\', '/'),
  );
  const sources = paths.filter((path) => path.endsWith('.ts')).toSorted();
  return new Map(sources.map((path) => [path, readFileSync(`${root}${path}`, 'utf8')]));
}

const exitNames = new Set(['exit', 'exitCode', 'reallyExit', 'abort', 'kill']);

function isExit(key: { type: string; name?: unknown; value?: unknown }): boolean {
  const name = key.type === 'Literal' ? key.value : key.name;
  return typeof name === 'string' && exitNames.has(name);
}

export function parseSource(path: string, text: string): ParsedSource {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length;
  const imports: ImportUse[] = [];
  const exitLines: number[] = [];
  const take = (source: { type: string; start: number; value?: unknown } | null): void => {
    if (source === null) return;
    const literal = source.type === 'Literal' && typeof source.value === 'string';
    imports.push({ specifier: literal ? String(source.value) : undefined, line: lineAt(source.start) });
  };

  new Visitor({
    ImportDeclaration(node) {
      take(node.source);
      if (!/^(node:)?process$/.test(node.source.value)) return;
      const takesExit = node.specifiers.some((one) => one.type === 'ImportSpecifier' && isExit(one.imported));
      if (takesExit) exitLines.push(lineAt(node.start));
    },
    ExportNamedDeclaration(node) {
      take(node.source);
    },
    ExportAllDeclaration(node) {
      take(node.source);
    },
    ImportExpression(node) {
      take(node.source);
    },
    TSImportType(node) {
      take(node.source);
    },
    CallExpression(node) {
      const requires = node.callee.type === 'Identifier' && node.callee.name === 'require';
      if (requires) take(node.arguments[0] ?? null);
    },
    MemberExpression(node) {
      if (node.object.type === 'Identifier' && node.object.name === 'process' && isExit(node.property)) {
        exitLines.push(lineAt(node.start));
      }
    },
    VariableDeclarator(node) {
      if (node.init?.type !== 'Identifier' || node.init.name !== 'process') return;
      const properties = node.id.type === 'ObjectPattern' ? node.id.properties : [];
      const takesExit = properties.some((property) => property.type !== 'Property' || isExit(property.key));
      if (takesExit) exitLines.push(lineAt(node.start));
    },
  }).visit(program);
  return { imports, exitLines };
}

/** The path below the folder that a relative specifier names; `../x` where it leaves the folder. */
export function resolveImport(fromPath: string, specifier: string): string {
  return posix.join(posix.dirname(fromPath), specifier);
}
