/** What `--help` says of the commands for the rotation of keys, beside the options. */

import { flow } from './help.ts';

export const rotate: string = flow(`Goes over to new keys while the app runs. docs/rotation.md is the runbook.

secret: another Fly secret opens the volume; only the keyring is written.
volume-key: new files get a new volume key; volseal rewrap moves the others over.
compromised: what an exposed secret needs.`);

export const rotateExamples = `
Examples:
  volseal rotate secret --to v2 --volume /data
  volseal rotate secret --to v2 --dry-run
                                          where the rotation is
  volseal rotate volume-key && volseal rewrap && volseal retire vk:1`;

export const rotateSecret: string =
  flow(`Goes over to another secret in five steps: add (it gets a slot of the keyring), check (it opens the
keyring here, and somebody vouches for the other Machines), promote (it becomes the primary one), rewrap
(both generations of the keyring open with it), retire (the other secrets lose their slots).

Without a step every one that is due is done, up to the first that has to wait (exit code 7): the command
to go on with is printed. The same command again goes on there. Takes as long on a large volume as on a
small one: files are not touched.`);

export const rotateSecretExamples = `
Examples:
  volseal rotate secret --to v2           what can be done now
  volseal rotate secret --to v2 --offline the other Machines have v2: somebody has looked
  volseal rotate secret retire --to v2 --kms fly-secrets: --kms recovery:
                                          with the recovery key, which keeps its slot`;

export const rotateVolumeKey: string =
  flow(`Makes a new primary volume key. New files use it at once; those that are there move over with volseal
rewrap, and when nothing needs the old one any more volseal retire destroys it.`);

export const rotateVolumeKeyExamples = `
Examples:
  volseal rotate volume-key --volume /data
  volseal rewrap --volume /data           then move the files over`;

export const rotateCompromised: string =
  flow(`For a secret that somebody may have seen. Goes over to a new one as volseal rotate secret does, with a new
keyring key and a new volume key, and lists the files that have to be sealed anew: they keep data keys
that whoever had the secret may have. volseal put seals a copy anew. Do not rewrap before: then nothing
tells any more which files those are. Exit code 6 while there are any.`);

export const rotateCompromisedExamples = `
Examples:
  volseal rotate compromised --to v2 --offline > files
  volseal rotate compromised --to v2 --dry-run
                                          what there is to do`;

export const rewrap: string =
  flow(`Moves the headers of files to the primary volume key: one header read and written for each file, whatever
its size. The app goes on reading and writing meanwhile. Interrupted, the same command goes on where it
was.`);

export const rewrapExamples = `
Examples:
  volseal rewrap --volume /data
  volseal rewrap --dry-run                how many files, how long
  volseal rewrap --max-iops 500           leave the disk to the app`;

export const audit: string =
  flow(`Reads every header, both generations of the keyring and the journals, and says what still needs which key,
and what could not be read. Exit code 6 when a file needs another key than the primary volume key; with
--key when anything but the keyring needs that key, or something could not be read.`);

export const auditExamples = `
Examples:
  volseal audit --volume /data
  volseal audit --key vk:1                may it be retired?
  volseal audit --key fly-secrets:v1 --json`;

export const retire: string =
  flow(`Destroys a key in the keyring, in both of its generations, once nothing needs it: an audit of it must be
clean, and every process that has the volume open must have seen the new keyring. Refused (7) until then.
Of a secret it takes the slot away; the line that unsets it is printed.

Copies elsewhere (snapshots, forks, exports, backups) are out of its reach.`);

export const retireExamples = `
Examples:
  volseal retire vk:1 --volume /data
  volseal retire fly-secrets:v1
  volseal retire vk:1 --dry-run           could it be done?`;
