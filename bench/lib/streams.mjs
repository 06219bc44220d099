/** Ends of a stream in memory, as cheap as they can be, so that what stands between them is what is timed. */

import { Readable, Writable } from 'node:stream';

const sourceChunkBytes = 65_536;

export function chunksOf(bytes, chunkBytes = sourceChunkBytes) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes));
  return chunks;
}

export function nodeSource(chunks) {
  let next = 0;
  return new Readable({
    highWaterMark: sourceChunkBytes,
    read() {
      this.push(next < chunks.length ? chunks[next++] : null);
    },
  });
}

export function nodeSink(onChunk) {
  return new Writable({
    write(chunk, _encoding, done) {
      onChunk(chunk);
      done();
    },
  });
}

export function webSource(chunks) {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      if (next < chunks.length) controller.enqueue(chunks[next++]);
      else controller.close();
    },
  });
}

export function webSink(onChunk) {
  return new WritableStream({
    write(chunk) {
      onChunk(chunk);
    },
  });
}
