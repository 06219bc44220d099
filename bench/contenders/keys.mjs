/** Fixed keys: what one process sealed, the next can open. They protect nothing. */

import { createHash } from 'node:crypto';

export const keyBytes = createHash('sha256').update('volseal bench key').digest();

export const secretEnv = { VOLSEAL_SECRET_bench: keyBytes.toString('hex') };

export class UnavailableError extends Error {}
