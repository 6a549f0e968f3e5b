import { Effect, Layer } from "effect"
import type { AdminError, AdminServer } from "../../admin/AdminServer.js"
import type { AdminSocketError } from "../../admin/AdminSocket.js"
import type { TokenFileError } from "../../admin/access/TokenFile.js"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { type ListenError, localUrl } from "../../server/Listening.js"
import { originOf } from "../AdminVariables.js"
import type { Database } from "../Database.js"
import { besideOf } from "../DatabasePlace.js"
import { CommandFailed } from "../Failure.js"

export const cannotListen = ({ where, reason, hint }: ListenError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${where}: ${reason}`, hint })

export const noSocket = ({ path, problem, hint }: AdminSocketError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${path}: ${problem}`, hint })

export const noTokens = ({ path, problem }: TokenFileError): CommandFailed =>
  new CommandFailed({ problem: `cannot use the tokens in ${path}: ${problem}`, hint: "check --admin-token-file" })

/** What there is to an admin listener. */
export type AdminModule = typeof import("../../admin/AdminServer.js")

/** The admin listener, which is loaded only where the settings ask for it. `layerOf`: that of this process, or of others. */
export const layerAdminListener = <R>(
  settings: ProxySettings,
  database: Database,
  layerOf: (module: AdminModule) => Effect.Effect<Layer.Layer<AdminServer, AdminError, R>>,
) => {
  if (settings.adminPort === "off" && settings.adminSocket === "off") return Layer.empty
  const loaded = Effect.promise(() => import("../../admin/AdminServer.js"))
  const withLayer = Effect.flatMap(loaded, (module) => Effect.map(layerOf(module), (layer) => ({ ...module, layer })))
  return Layer.unwrapEffect(
    Effect.map(withLayer, ({ AdminServer, AdminSocketBeside, layer, SettingOrigins }) =>
      Layer.effectDiscard(
        Effect.flatMap(AdminServer, ({ address }) =>
          address === undefined ? Effect.void : Effect.logInfo(`admin listener on ${localUrl(address)}`),
        ),
      ).pipe(
        Layer.provide(layer),
        Layer.provide([
          Layer.succeed(AdminSocketBeside, besideOf(database)),
          Layer.succeed(SettingOrigins, originOf(settings)),
        ]),
      ),
    ),
  )
}
