/** A handle's content as a web stream of bytes. */

import {
  type ReadableByteStreamController,
  ReadableStream,
  type ReadableStreamBYOBRequest,
} from 'node:stream/web';

import { invalidState } from './argument-errors.ts';
import type { StreamHandle } from './stream-handle.ts';

const chunkBytes = 65_536;

/** From where the handle is, which moves. It ends early with an error when the handle is closed. */
export function webStreamOf(handle: StreamHandle, autoClose: boolean): ReadableStream<Uint8Array> {
  let letGo: (() => void) | undefined;
  const end = async (): Promise<void> => {
    letGo?.();
    letGo = undefined;
    if (autoClose) await handle.close();
  };
  return new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: chunkBytes,
    start(controller) {
      letGo = handle.holdOpen(() => {
        if (letGo === undefined) return;
        letGo();
        letGo = undefined;
        controller.error(invalidState('The FileHandle was closed'));
      });
    },
    async pull(controller: ReadableByteStreamController) {
      // There is always one: `autoAllocateChunkSize` sees to it.
      const request = controller.byobRequest as ReadableStreamBYOBRequest;
      const view = request.view as NodeJS.ArrayBufferView;
      const target = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      const { bytesRead } = await handle.read(target, 0, target.length, null);
      if (letGo === undefined) return; // closed meanwhile
      if (bytesRead === 0) {
        await end();
        controller.close();
      }
      request.respond(bytesRead);
    },
    cancel: end,
  });
}
