import { Context, type Effect } from "effect"
import type { AdminTokens } from "./AdminTokens.js"
import type { ChangeNotes } from "./ChangeNotes.js"

/** Where a setting has its value from. */
export type Origin = "flag" | "variable" | "program" | "default"

/** Tells where a setting that differs from its default has its value from. A program that embeds the proxy has given it. */
export class SettingOrigins extends Context.Reference<SettingOrigins>()("@ss-proxy/SettingOrigins", {
  defaultValue: (): ((setting: string) => Origin) => () => "program",
}) {}

/** What the API knows of the ways in to it. */
export class Access extends Context.Tag("@ss-proxy/Access")<
  Access,
  {
    readonly tokens: AdminTokens
    /** Where calls note what they have changed. */
    readonly changes: ChangeNotes
    /** Base URL of the TCP listener, without a slash at its end; `undefined` where there is none. */
    readonly url: () => string | undefined
    /** Completes when the listeners are about to end. */
    readonly ended: Effect.Effect<void>
  }
>() {}
