/** What is left to do with a secret that lost its slot in a volume: for people, and lines to paste. */

import type { Io } from '../io.ts';

export interface UnsetLine {
  readonly label: string;
  /** Takes the secret away from the whole app. */
  readonly command: string;
}

/** One for each secret that is known by its label. */
export function unsetLines(io: Io, labels: readonly string[]): UnsetLine[] {
  const app = io.env['FLY_APP_NAME'] ?? '';
  const suffix = app === '' ? '' : ` -a ${app}`;
  return [...new Set(labels)].map((label) => {
    const isFile = io.env[`VOLSEAL_SECRET_FILE_${label}`] !== undefined;
    return {
      label,
      // Whatever the secret behind a mounted file is called, fly.toml says.
      command: isFile
        ? `# take VOLSEAL_SECRET_FILE_${label} and the [[files]] entry that it names out of fly.toml, then: fly deploy${suffix}`
        : `fly secrets unset VOLSEAL_SECRET_${label}${suffix}`,
    };
  });
}

/** What to think of before one of those lines is run. */
export function unsetWarnings(snapshotsUntil: string): readonly string[] {
  return [
    'fly secrets unset restarts every Machine of the app, one after the other, and takes the secret from all of them: finish this rotation on the volume of each Machine first',
    'files that were sealed outside of a volume may need the old secret: volseal inspect shows their key ids',
    `a snapshot of the volume opens only with the secret of its time, and can be kept until ${snapshotsUntil.slice(0, 10)}: keep a copy of the old secret elsewhere for as long`,
  ];
}

/** The longest that Fly keeps a snapshot. */
const snapshotDays = 60;

export function snapshotsUntilFrom(nowMs: number): string {
  return new Date(nowMs + snapshotDays * 86_400_000).toISOString();
}
