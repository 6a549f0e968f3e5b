import { Effect, type Scope } from "effect"
// By its file, for vitest would take that of bundlers, and graphql does not work with two copies of itself.
import {
  GraphQLInt,
  type GraphQLFieldConfig,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from "graphql/index.js"
import { type Extra, useServer } from "graphql-ws/use/ws"
import { setTimeout } from "node:timers/promises"
import { type WebSocket, WebSocketServer } from "ws"
import { Changes, type NotSeen } from "./Changes.js"
import { HttpOrigin } from "./HttpOrigin.js"

export interface GraphQlOriginOptions {
  /** Told by `name` and in every tick, to tell one server from another. */
  readonly name?: string
  readonly port?: number
  /** Time between two pings of the server, in milliseconds. */
  readonly keepAlive?: number
  /** How long the server waits for `connection_init`, in milliseconds. */
  readonly initTimeout?: number
}

/** A session's server that speaks GraphQL over WebSocket by the package graphql-ws. */
export class GraphQlOrigin {
  readonly sockets: Array<WebSocket> = []
  /** Subscriptions to `ticks` that are being served. */
  ticking = 0

  private constructor(
    readonly http: HttpOrigin,
    private readonly changes: Changes,
  ) {}

  /** Its base URL, `http:`, without a slash at the end. */
  get url(): string {
    return this.http.url
  }

  /** Waits until nobody is subscribed to `ticks` any more. */
  get silent(): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      "the end of all ticks",
      () => this.ticking === 0,
      () => `${this.ticking} subscriptions`,
    )
  }

  private readonly ticks = async function* (this: GraphQlOrigin, name: string) {
    this.ticking++
    try {
      for (let count = 1; ; count++) {
        yield { ticks: `${name} ${count}` }
        await setTimeout(5)
      }
    } finally {
      this.ticking--
      this.changes.announce()
    }
  }

  private schema(name: string): GraphQLSchema {
    const text: GraphQLFieldConfig<unknown, Init> = { type: GraphQLString }
    return new GraphQLSchema({
      query: new GraphQLObjectType<unknown, Init>({
        name: "Query",
        fields: {
          name: { ...text, resolve: () => name },
          token: { ...text, resolve: (_, __, { token }) => token },
        },
      }),
      subscription: new GraphQLObjectType<unknown, Init>({
        name: "Subscription",
        fields: {
          countdown: {
            type: GraphQLInt,
            args: { from: { type: new GraphQLNonNull(GraphQLInt) } },
            subscribe: async function* (_, { from }: { from: number }) {
              for (let count = from; count >= 0; count--) yield { countdown: count }
            },
          },
          ticks: { ...text, subscribe: () => this.ticks(name) },
        },
      }),
    })
  }

  /** Starts it. With the scope it says goodbye to its clients with 1001, and stops. */
  static start(options: GraphQlOriginOptions = {}): Effect.Effect<GraphQlOrigin, never, Scope.Scope> {
    return Effect.gen(function* () {
      const { name = "one", port = 0, keepAlive = 0, initTimeout = 3_000 } = options
      const origin = new GraphQlOrigin(yield* HttpOrigin.start(undefined, port), new Changes())
      const server = new WebSocketServer({ server: origin.http.server })
      server.on("connection", (socket) => origin.sockets.push(socket))
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          useServer<Init, Partial<Extra>>(
            {
              schema: origin.schema(name),
              connectionInitWaitTimeout: initTimeout,
              onConnect: ({ connectionParams }) => connectionParams?.token !== "forged",
              context: ({ connectionParams }) => connectionParams ?? {},
            },
            server,
            keepAlive,
          ),
        ),
        (started) => Effect.promise(async () => started.dispose()),
      )
      return origin
    })
  }
}

/** What clients say in `connection_init`. */
type Init = { readonly token?: string }
