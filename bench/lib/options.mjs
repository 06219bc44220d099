/** The command line of run.mjs. */

import { parseArgs } from 'node:util';

export const usage = `Usage: npm run bench -- [options]
       node bench/run.mjs [options]

  --quick           small sizes, few rounds, under a minute; printed, not put into docs/benchmarks.md
  --only PATTERN    only the cases whose GROUP/CASE matches this regular expression
  --node PATH       a Node to measure (repeatable, or several with commas); default: the one that runs this
  --rounds N        rounds of each case (default: 5 or fewer, --quick 1 or 2)
  --dir DIR         where files are put that stand for the page cache
                    (default: /dev/shm where it has room, otherwise the system's temporary directory)
  --disk DIR        where files are put that must be on a disk (default: the system's temporary directory)
  --no-rivals       only volseal and the bare primitives
  --no-build        measure dist as it is
  --no-record       print, but write nothing to bench/results and docs
  --render          only draw docs/benchmarks.md and docs/img again from bench/results
  --list            print the cases and stop
  -h, --help        this text
`;

export class UsageError extends Error {}

export function readOptions(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      allowNegative: true,
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        node: { type: 'string', multiple: true, default: [] },
        rounds: { type: 'string' },
        dir: { type: 'string' },
        disk: { type: 'string' },
        rivals: { type: 'boolean', default: true },
        build: { type: 'boolean', default: true },
        record: { type: 'boolean', default: true },
        render: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(error.message);
  }
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
    throw new UsageError('--rounds takes a whole number from 1');
  }
  const nodes = values.node.flatMap((text) => text.split(',')).filter((text) => text !== '');
  return {
    ...values,
    rounds,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    nodes: nodes.length === 0 ? [process.execPath] : nodes,
  };
}
