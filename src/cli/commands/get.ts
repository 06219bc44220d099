/** `volseal get`: files and folders of a volume as plain ones. */

import { invalidArgument } from '../../options.ts';
import { isDirectory, type Naming, type Operand, planDestinations, standardStream } from '../destinations.ts';
import { Folders } from '../folders.ts';
import type { Io } from '../io.ts';
import { findItems, type Item } from '../items.ts';
import { checkPlace, giveOwner } from '../placement.ts';
import type { Reporter } from '../report.ts';
import { Run } from '../run.ts';
import { draw } from '../volumes/draw.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { withVolumes } from '../volumes/opened.ts';
import { refusePlaintextInVolume } from '../volumes/sealed-for-volume.ts';
import { VolumeTree } from '../volumes/volume-tree.ts';
import type { Words, Work } from '../work.ts';
import type { CopyOptions } from './put.ts';

const words: Words = { command: 'get', doing: 'opening', done: 'opened', sums: { plainBytes: 0 } };

const naming: Naming = {
  place: 'DEST',
  fileHint: 'name a file as DEST',
  severalHint: 'volseal cat joins several',
  isDirectory,
  inFolder: (name) => name,
};

export function get(
  io: Io,
  reporter: Reporter,
  path: string,
  output: string,
  options: CopyOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  if (output === standardStream) reporter.dataOnStdout();
  return withVolumes(io, kms, async (volumes) => {
    const place = await finder.place(path);
    await refusePlaintextInVolume(
      output,
      false,
      finder,
      `to copy it there sealed: volseal put ${path} ${output}`,
    );
    const tree = new VolumeTree(await volumes.open(place.root, { readonly: true }), place, options.context);
    const engine = new Run<Item>(io, reporter, words, options);
    const operands: Operand[] = [];
    try {
      const stats = await tree.stat(path);
      operands.push({ kind: stats.isDirectory() ? 'directory' : 'file', given: path, stats });
    } catch (error) {
      engine.failed(path, error);
    }
    if (operands[0]?.kind === 'directory' && !options.recursive) {
      throw invalidArgument(`${path} is a folder`, 'give -r to take all that is in it');
    }
    const destinations = await planDestinations(naming, operands, 1, output);
    const folders = new Folders();
    const work: Work<Item> = {
      words,
      subject: output,
      readsStdin: false,
      find: (making) =>
        findItems({
          destinations,
          folders: making ? folders : undefined,
          treeOf: () => tree,
          nameInMirror: (relative) => relative,
          nameReason: '',
        }),
      async check(item) {
        await checkPlace(item, options.force);
      },
      async perform(item, advance) {
        const existing = await checkPlace(item, options.force);
        const plainBytes = await draw(tree, {
          ...item,
          stdout: io.stdout,
          overwrite: options.force,
          signal: io.signal,
          advance,
        });
        if (existing === undefined && !(await giveOwner(item))) {
          reporter.warning(`${item.destination} belongs to root now, its source does not`);
        }
        return { plainBytes };
      },
      takeBack: (destination) => folders.takeBack(destination),
    };
    return engine.run(work);
  });
}
