/** A gibibyte through every kind of stream; slow, hence not part of the usual run. */

import { test } from 'vitest';

import { expectBounded, kinds } from './peak.ts';

test.each(kinds)('%s, 1 GiB', (kind) => expectBounded(kind, 1_024), 120_000);
