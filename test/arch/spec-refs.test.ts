/** What comments and documents cite exists: sections of the format document, and error codes. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { volsealErrorCodes } from '../../src/errors.ts';
import { readSources } from './sources.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

/** Section numbers of a format document, as its headings give them: `4`, `4.1`. */
function sectionsOf(markdown: string): Set<string> {
  return new Set([...markdown.matchAll(/^#+ (\d+(?:\.\d+)*)[. ]/gm)].map(([, number]) => number ?? ''));
}

/** Sections of `document` that a text cites: `v1.md §4.3`, also over a line break of a comment, and in lists: `§2, §3 and §7`. */
function citationsOf(document: string, text: string): string[] {
  const flowing = text.replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ');
  const name = document.replace('.', String.raw`\.`);
  const cited = flowing.matchAll(
    new RegExp(String.raw`${name}[,:]? ((?:§[\d.]+(?:, | and | to |–)?)+)`, 'g'),
  );
  return [...cited].flatMap(([, list]) =>
    [...(list ?? '').matchAll(/§(\d+(?:\.\d+)*)/g)].map(([, number]) => number ?? ''),
  );
}

test('every section of v1.md that src cites exists', () => {
  const sections = sectionsOf(read('docs/format/v1.md'));
  const missing: string[] = [];
  let citations = 0;
  for (const [path, text] of readSources('src')) {
    for (const section of citationsOf('v1.md', text)) {
      citations += 1;
      if (!sections.has(section)) missing.push(`src/${path} cites v1.md §${section}`);
    }
  }
  expect(missing).toEqual([]);
  expect(citations).toBeGreaterThan(5);
});

test('every section that v1.md cites of itself exists', () => {
  const text = read('docs/format/v1.md');
  const cited = [...text.matchAll(/§(\d+(?:\.\d+)*)/g)].map(([, number]) => number ?? '');
  expect(cited.length).toBeGreaterThan(5);
  expect(cited.filter((section) => !sectionsOf(text).has(section))).toEqual([]);
});

test('citations are found in the forms that comments use', () => {
  const text =
    '/** As docs/format/v1.md §4.3 says.\n * Beside v1.md, §2, §3 and §12, or (v1.md\n * §7). RFC 5869 §9. */\n// v1.md\n// §8.1';
  expect(citationsOf('v1.md', text)).toEqual(['4.3', '2', '3', '12', '7', '8.1']);
  expect([...sectionsOf('# Title\n## 1. One\n### 4.3 Four\n## 10. Ten\n')]).toEqual(['1', '4.3', '10']);
});

test('every error code that the documents name exists', () => {
  const known = new Set<string>(volsealErrorCodes);
  const inDocs = readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' }).map(
    (path) => `docs/${path}`,
  );
  const documents = ['README.md', 'CHANGELOG.md', ...inDocs].filter(
    (path) => path.endsWith('.md') && existsSync(`${root}${path}`),
  );
  const named = documents.flatMap((path) =>
    [...read(path).matchAll(/ERR_VOLSEAL_[A-Z_]*[A-Z]/g)].map(([code]) => ({ path, code })),
  );
  expect(named.length).toBeGreaterThan(volsealErrorCodes.length / 2);
  expect(named.filter(({ code }) => !known.has(code))).toEqual([]);
});
