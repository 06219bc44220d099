/** All groups of cases, in the order of the report. */

import * as buffer from './buffer.mjs';
import * as cpu from './cpu.mjs';
import * as durable from './durable.mjs';
import * as eventLoop from './event-loop.mjs';
import * as file from './file.mjs';
import * as memory from './memory.mjs';
import * as memoryLimit from './memory-limit.mjs';
import * as range from './range.mjs';
import * as segments from './segments.mjs';
import * as smallFiles from './small-files.mjs';
import * as smallMessage from './small-message.mjs';
import * as startUp from './start-up.mjs';
import * as stream from './stream.mjs';
import * as volumeMemory from './volume-memory.mjs';
import * as volumeReads from './volume-reads.mjs';
import * as volumeSmallFiles from './volume-small-files.mjs';
import * as volumeWholeFiles from './volume-whole-files.mjs';
import * as volumeWrites from './volume-writes.mjs';

export const groups = [
  segments,
  buffer,
  stream,
  file,
  durable,
  range,
  smallFiles,
  smallMessage,
  volumeSmallFiles,
  volumeReads,
  volumeWrites,
  volumeWholeFiles,
  volumeMemory,
  cpu,
  memory,
  memoryLimit,
  eventLoop,
  startUp,
];

export const groupById = (id) => groups.find((group) => group.id === id);
