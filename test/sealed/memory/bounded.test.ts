/** However much streams through, memory stays where it is. `bounded.long.test.ts` does the same with more. */

import { test } from 'vitest';

import { expectBounded, kinds } from './peak.ts';

test.each(kinds)('%s, 64 MiB', (kind) => expectBounded(kind, 64));
