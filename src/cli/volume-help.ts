/** What `--help` says of the commands for volumes, beside the options. */

import { flow } from './help.ts';

export const init: string = flow(`Makes a folder a volume: whatever is put into it from now on is sealed.

It gets a keyring, in .volseal, that the secret opens, and a recovery key for the day when the secret is
lost: the one line on standard output. It is shown once and stored nowhere. A folder with data in it stays
as it is: nothing that is there already gets sealed.`);

export const initExamples = `
Examples:
  volseal init data                       make data a volume
  fly ssh console -a APP -C "volseal init /data"
                                          the mount of a Fly volume
  volseal init /data --no-recovery        the recovery key comes later: volseal recovery create`;

export const status: string =
  flow(`Shows the keyring of a volume, how many files it holds under which volume key, what in it is not
sealed, and what is left over of writers that are gone. Reads the header of every file and no content.`);

export const statusExamples = `
Examples:
  volseal status --volume /data
  volseal status --json | jq .files.plaintext`;

export const ls: string =
  flow(`Lists a folder of a volume, sorted by name; folders end in a slash. Sizes are those of the plaintext.
With --json a document for each entry, each on a line of its own.`);

export const lsExamples = `
Examples:
  volseal ls data/photos
  volseal ls -l -r --volume /data         everything, with sizes and times
  volseal ls --json data                  one JSON document a line`;

export const put: string =
  flow(`Seals files into a volume; sources stay. The last operand is the path in the volume that they become:
several sources, or a path that is a folder or ends in a slash, keep their names. Folders on the way are
made. A file appears whole or not at all, and an existing one is replaced only with --force. A source
that lies in a volume itself is read through it. Symbolic links in folders are skipped.`);

export const putExamples = `
Examples:
  volseal put photo.jpg data/photos/1.jpg
  volseal put -r uploads data/uploads     a sealed mirror of a folder
  volseal put *.jpg data/photos/          several into a folder
  pg_dump shop | volseal put - data/backups/shop.sql
  volseal put --volume /data photo.jpg photos/1.jpg`;

export const get: string =
  flow(`Opens files of a volume into plain ones, outside of volumes. A file appears only once all of it is
authenticated; an existing one is replaced only with --force. On standard output (-) authenticated pieces
come out before the end is known: discard the output when the exit code is not 0.`);

export const getExamples = `
Examples:
  volseal get data/photos/1.jpg photo.jpg
  volseal get -r data/uploads /tmp/uploads
  volseal get data/backups/shop.sql - | psql shop`;

export const rm: string =
  flow(`Removes files of volumes, and folders with -r. Links are removed, not followed. What cannot be opened any
more can be removed too. Copies live on in snapshots and backups, readable with the key of their time.`);

export const rmExamples = `
Examples:
  volseal rm data/photos/1.jpg
  volseal rm -r data/uploads/tmp
  volseal rm -r --dry-run data/uploads    only show what would go`;

export const mv: string =
  flow(`Gives a file or folder of a volume another name, or puts it into the folder that is named. In one volume
nothing is sealed anew. A file can go to another volume: it is sealed for that one and then removed here.
An existing file is replaced only with --force.`);

export const mvExamples = `
Examples:
  volseal mv data/photos/1.jpg data/photos/cat.jpg
  volseal mv data/photos/1.jpg data/old/  into a folder that is there
  volseal mv data/1.jpg other/1.jpg       from one volume to another`;

export const keyring: string =
  flow(`The keyring of a volume, .volseal/keyring.json, holds the keys of all its files, wrapped under the secret
and the recovery key. Without it nothing opens, so a copy elsewhere is worth having.`);

export const keyringExamples = `
Examples:
  volseal keyring export - --volume /data > data.keyring
  volseal keyring restore data.keyring --volume /data`;

export const keyringExport: string =
  flow(`Writes a copy of the keyring. It holds no secret: it opens the volume only together with the secret or the
recovery key. Make a new one after every change of the keyring.`);

export const keyringExportExamples = `
Examples:
  volseal keyring export data.keyring --volume data
  fly ssh console -a APP -C "volseal keyring export - --volume /data" > data.keyring`;

export const keyringRestore: string =
  flow(`Makes an exported keyring the keyring of the volume, once it has been seen to open with the keys at hand.
One that is there already is replaced only with --force when it is newer, of another volume, or does not
open; it is kept as keyring.json.prev.`);

export const keyringRestoreExamples = `
Examples:
  volseal keyring restore data.keyring --volume /data
  volseal keyring restore data.keyring --volume /data --kms recovery:
                                          with the recovery key, asked for unseen`;

export const recovery: string =
  flow(`A recovery key opens a volume when its secret is lost. It is for paper or a password manager, away from
Fly. volseal init makes one.`);

export const recoveryExamples = `
Examples:
  volseal recovery create --volume /data
  volseal recovery test --volume /data    asks for the key, unseen
  volseal get --kms recovery: /data/notes.txt notes.txt
                                          open a volume with it`;

export const recoveryCreate: string =
  flow(`Makes a recovery key for a volume and prints it, alone, on standard output: once, for it is stored nowhere.
With --force the one that there was is replaced: it opens nothing that is written from then on. All secrets
of the volume must be set for that.`);

export const recoveryCreateExamples = `
Examples:
  volseal recovery create --volume /data
  volseal recovery create --force         when the old one is lost, or somebody has seen it`;

export const recoveryTest: string =
  flow(`Opens the keyring of a volume with a recovery key and nothing else. The key comes from standard input, or is
asked for without being shown. Capitals, spaces and dashes do not matter.`);

export const recoveryTestExamples = `
Examples:
  volseal recovery test --volume /data
  volseal recovery test --volume data < recovery-key.txt`;
