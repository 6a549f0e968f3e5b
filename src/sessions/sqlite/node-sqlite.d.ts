/** What is used of Node's own SQLite, which the types of Node 20 do not have. */
declare module "node:sqlite" {
  export interface StatementSync {
    columns(): Array<{ name: string }>
    run(...parameters: ReadonlyArray<unknown>): unknown
    get(...parameters: ReadonlyArray<unknown>): unknown
    all(...parameters: ReadonlyArray<unknown>): Array<unknown>
    setReturnArrays(enabled: boolean): void
  }

  export const StatementSync: { readonly prototype: StatementSync }

  export class DatabaseSync {
    constructor(path: string | URL, options: { readonly readOnly: boolean; readonly timeout: number })
    readonly isTransaction: boolean
    prepare(text: string): StatementSync
    exec(text: string): void
    close(): void
  }
}
