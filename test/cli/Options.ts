import * as CliConfig from "@effect/cli/CliConfig"
import * as Options from "@effect/cli/Options"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Cause, ConfigProvider, Effect, Layer } from "effect"
import { reportCause } from "../../src/cli/Report.js"
import { plainStyle } from "../../src/cli/Style.js"

const environment = Layer.mergeAll(FileSystem.layerNoop({}), Path.layer, NodeTerminal.layer)

const telling = { style: plainStyle, detailed: false, asJson: false }

/** A mistake in words or variables, as it would be told. */
export interface Mistake {
  readonly message: string
}

/** Reads options as @effect/cli does for a command, from flags by their long names. */
export const readOptions = <A>(
  options: Options.Options<A>,
  flags: Readonly<Record<string, string>>,
): Effect.Effect<A, Mistake> =>
  Options.processCommandLine(
    options,
    Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    CliConfig.make({ isCaseSensitive: true }),
  ).pipe(
    Effect.map(([, , values]) => values),
    Effect.mapError((error) => ({
      message: reportCause(Cause.fail(error), telling).text.replace("ss-proxy: ", ""),
    })),
    Effect.provide(environment),
  )

/** In an environment with these variables alone. */
export const withVariables =
  (variables: Readonly<Record<string, string>>) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(Object.entries(variables))))
