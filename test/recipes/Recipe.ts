import { Data, Effect, Schedule, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { delimiter, dirname, join } from "node:path"
import { type Block, blocksOf, nameOf, recipes, shows } from "../docs/Blocks.js"
import { binary } from "../support/BuiltProgram.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { unusedPort } from "../support/Listening.js"

/** A recipe did not do what the document says. */
export class RecipeFailed extends Data.TaggedError("RecipeFailed")<{ readonly message: string }> {}

/** The interpreter that has the software of the recipes; `.ci/run` makes it. */
export const recipesPython: string | undefined = process.env["SS_PROXY_RECIPES_PYTHON"]

/** That the interpreter lacks a package; `undefined` where it has it. */
export const lackingPackage = (name: string): string | undefined => {
  if (recipesPython === undefined) return `SS_PROXY_RECIPES_PYTHON names no python with ${name}`
  const found = spawnSync(recipesPython, [
    "-c",
    `import importlib.util, sys; sys.exit(importlib.util.find_spec("${name}") is None)`,
  ])
  return found.status === 0 ? undefined : `${recipesPython} has no package ${name}`
}

/** How long a program may take until it listens: python has much to read on a busy machine. */
const longestStart = 60_000

/** Ports as the recipes name them. Each reader has others in their place. */
const portsOfDocument = /\b(?:443|3000|7860|8000|8001|8080|8123|8443|8501|8888|9000|9090|11434)\b/g
const proxyPort = "8080"
const tlsPort = "443"

/** What the software of recipes needs to know of the machine of a test: it opens no browser, and sends nothing home. */
const quietly = {
  NO_COLOR: "1",
  GRADIO_ANALYTICS_ENABLED: "False",
  STREAMLIT_BROWSER_GATHER_USAGE_STATS: "false",
  STREAMLIT_SERVER_HEADLESS: "true",
  SS_PROXY_HOST: "127.0.0.1",
}

const startsProxy = ({ kind, text }: Block): boolean => kind === "background" && text.startsWith("ss-proxy run")

/** A reader of docs/RECIPES.md, with a terminal and a folder of their own. */
export class Reader {
  private readonly ports = new Map<string, number>()

  private constructor(readonly folder: string) {}

  /**
   * Follows the recipes under these headings to their end, with one proxy: writes files, starts programs, types commands.
   * `prepare` does what the reader's machine has to have done, once the files are there.
   */
  static follow<E = never>(
    sections: ReadonlyArray<string>,
    prepare: (reader: Reader) => Effect.Effect<void, E, Scope.Scope> = () => Effect.void,
  ): Effect.Effect<Reader, E | RecipeFailed, Scope.Scope> {
    return Effect.gen(function* () {
      const reader = yield* Reader.sitDown
      const all = sections.map((section) => blocksOf(recipes).filter((block) => block.section === section))
      const missing = sections.filter((_, index) => all[index]?.length === 0)
      if (missing.length > 0) return yield* new RecipeFailed({ message: `${recipes} has no ${missing.join()}` })
      const blocks = all.flat()
      yield* reader.readPorts(blocks)
      for (const { kind, file, text } of blocks)
        if (kind === "file") writeFileSync(join(reader.folder, file), reader.here(text))
      const proxies = new Set(blocks.filter(startsProxy).map(({ text }) => text.trim()))
      if (proxies.size > 1) return yield* new RecipeFailed({ message: `more proxies than one: ${[...proxies].join()}` })
      yield* reader.leaveRunning([...proxies][0] ?? "ss-proxy run", [proxyPort])
      yield* prepare(reader)
      for (const [index, block] of blocks.entries())
        if (!startsProxy(block)) yield* reader.obey(block, blocks[index + 1])
      return reader
    })
  }

  private static get sitDown(): Effect.Effect<Reader, never, Scope.Scope> {
    return Effect.map(temporaryFolder, (folder) => {
      const program = join(folder, "ss-proxy")
      writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`)
      chmodSync(program, 0o755)
      mkdirSync(join(folder, ".jupyter"))
      // Whoever runs the tests may be root, in a container.
      const asRoot = { ServerApp: { allow_root: true, open_browser: false } }
      writeFileSync(join(folder, ".jupyter", "jupyter_server_config.json"), JSON.stringify(asRoot))
      return new Reader(folder)
    })
  }

  /** What is at the port that the recipe names. */
  port(documented: string): number {
    const port = this.ports.get(documented)
    if (port === undefined) throw new Error(`the recipe has no port ${documented}`)
    return port
  }

  /** The proxy's base URL, without a slash at its end. */
  get proxy(): string {
    return `http://localhost:${this.port(proxyPort)}`
  }

  /** A text of the recipe with the ports of this reader. */
  here(text: string): string {
    return text.replaceAll(portsOfDocument, (port) => String(this.port(port)))
  }

  /** Types commands, and gives what they print; fails where one of them does. */
  type(commands: string): Effect.Effect<string, RecipeFailed> {
    return Effect.gen(this, function* () {
      const child = yield* this.shell(commands)
      let printed = ""
      let complaints = ""
      child.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text))
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaints += text))
      const code = yield* Effect.async<number | null>((resume) => {
        child.once("close", (code) => resume(Effect.succeed(code)))
      })
      if (code === 0) return printed
      return yield* new RecipeFailed({ message: `${commands}\nended with ${code}:\n${printed}\n${complaints}` })
    }).pipe(Effect.scoped)
  }

  private readPorts(blocks: ReadonlyArray<Block>): Effect.Effect<void> {
    const named = blocks.flatMap(({ text }) => text.match(portsOfDocument) ?? [])
    return Effect.forEach(
      new Set([proxyPort, tlsPort, ...named]),
      (port) => Effect.map(unusedPort, (free) => this.ports.set(port, free)),
      { discard: true },
    )
  }

  private obey(block: Block, next: Block | undefined): Effect.Effect<void, RecipeFailed, Scope.Scope> {
    return Effect.gen(this, function* () {
      const { kind, text, language } = block
      if (kind === "background") yield* this.leaveRunning(text.trim(), [portOf(text)])
      if (kind !== "run" || language !== "sh") return
      const printed = yield* this.type(text)
      if (next?.kind !== "output" || shows(this.here(next.text), printed)) return
      yield* new RecipeFailed({ message: `${nameOf(block)}\nprinted:\n${printed}\nand not:\n${this.here(next.text)}` })
    })
  }

  /** Starts a program that runs on, and waits until it listens at these ports. */
  leaveRunning(command: string, ports: ReadonlyArray<string>): Effect.Effect<void, RecipeFailed, Scope.Scope> {
    return Effect.gen(this, function* () {
      const child = yield* this.shell(`exec ${command}`)
      let said = ""
      for (const output of [child.stdout, child.stderr])
        output?.setEncoding("utf8").on("data", (text: string) => (said = `${said}${text}`.slice(-10_000)))
      const failed = () => new RecipeFailed({ message: `${command}\ndoes not listen; it said:\n${said}` })
      const up = Effect.suspend(() =>
        child.exitCode === null && child.signalCode === null
          ? Effect.forEach(ports, (port) => listens(this.port(port)))
          : failed(),
      )
      yield* up.pipe(
        Effect.repeat({ until: (all) => all.every(Boolean), schedule: Schedule.spaced(50) }),
        Effect.timeoutFail({ duration: longestStart, onTimeout: failed }),
      )
    })
  }

  /** A shell in the folder, with the programs of the recipes; what it has started is killed with the scope. */
  private shell(commands: string): Effect.Effect<ChildProcess, never, Scope.Scope> {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(SS_PROXY_|FORCE_COLOR$|.*_proxy$)/i.test(name))
    const folders = [this.folder, ...(recipesPython === undefined ? [] : [dirname(recipesPython)])]
    const env = {
      ...Object.fromEntries(inherited),
      ...quietly,
      SS_PROXY_PORT: String(this.port(proxyPort)),
      HOME: this.folder,
      PATH: [...folders, process.env["PATH"]].join(delimiter),
    }
    return Effect.acquireRelease(
      Effect.sync(() =>
        spawn("/bin/sh", ["-euc", this.here(commands)], {
          cwd: this.folder,
          detached: true,
          env,
          stdio: ["ignore", "pipe", "pipe"],
        }),
      ),
      (child) =>
        Effect.async<void>((resume) => {
          if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
            return resume(Effect.void)
          child.once("close", () => resume(Effect.void))
          process.kill(-child.pid, "SIGKILL")
        }),
    )
  }
}

/** The port at which a program listens, as the document says: in its command, or in the file that this names. */
const portOf = (command: string): string => {
  const file = blocksOf(recipes).find(({ kind, file }) => kind === "file" && command.includes(file))
  return `${command}\n${file?.text}`.match(portsOfDocument)?.[0] ?? proxyPort
}

/** Whether somebody takes connections there. */
const listens = (port: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = connect(port, "localhost")
    const said = (answer: boolean) => {
      socket.destroy()
      resume(Effect.succeed(answer))
    }
    socket.once("connect", () => said(true)).once("error", () => said(false))
  })
