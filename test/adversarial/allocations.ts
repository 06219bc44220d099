/** The largest piece of memory that is asked for by its size while a function runs. */

type Sized = 'alloc' | 'allocUnsafe' | 'allocUnsafeSlow';

/** In bytes. Not seen: what the runtime itself takes in native code, and copies of what is there already. */
export async function largestAllocation(run: () => Promise<void>): Promise<number> {
  let largest = 0;
  const note = (bytes: unknown): void => {
    if (typeof bytes === 'number') largest = Math.max(largest, bytes);
  };
  const noting = <T extends new (...args: never[]) => object>(constructor: T): T =>
    new Proxy(constructor, {
      construct(target, args: unknown[], newTarget) {
        note(args[0]);
        return Reflect.construct(target, args, newTarget) as object;
      },
    });
  const { ArrayBuffer, SharedArrayBuffer, Uint8Array } = globalThis;
  const methods: [Sized, (typeof Buffer)[Sized]][] = (
    ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const
  ).map((name) => [name, Buffer[name].bind(Buffer)]);
  globalThis.ArrayBuffer = noting(ArrayBuffer);
  globalThis.SharedArrayBuffer = noting(SharedArrayBuffer);
  globalThis.Uint8Array = noting(Uint8Array);
  for (const [name, original] of methods) {
    Buffer[name] = (bytes: number, ...more: []) => {
      note(bytes);
      return original(bytes, ...more);
    };
  }
  try {
    await run();
  } finally {
    Object.assign(globalThis, { ArrayBuffer, SharedArrayBuffer, Uint8Array });
    for (const [name, original] of methods) Buffer[name] = original;
  }
  return largest;
}
