export interface Runtime {
  readonly name: string;
  readonly program: string;
}
export const nodes: readonly Runtime[];
export const bun: Runtime;
export const deno: Runtime;
