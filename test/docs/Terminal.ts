import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { binary, cleanEnvironment } from "../support/BuiltProgram.js"
import { type Block, root } from "./Blocks.js"

/** What the documents call the proxy's address, and the ports of servers of one's own. */
const proxyName = "localhost:8080"
const ownPorts = ["9000", "9001", "9002", "9003", "9005"]
const namedPorts = new RegExp(`\\b(?:${ownPorts.join("|")})\\b`, "g")

/** Ports that nobody has, all of them different. */
const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address()
      server.close()
      await once(server, "close")
      return typeof address === "object" && address !== null ? address.port : 0
    }),
  )
}

/** Waits until somebody listens. */
const listening = async (port: number): Promise<void> => {
  for (;;) {
    const socket = connect(port, "127.0.0.1")
    const isUp = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (isUp) return
    await pause(20)
  }
}

/** A reader's terminal: a folder with the built program, a proxy that was started as the README says, a PATH. */
export class Terminal {
  readonly folder = mkdtempSync(join(tmpdir(), "ss-proxy-docs-"))
  private readonly background: Array<ReturnType<typeof spawn>> = []
  private proxyPort = 0
  private ports = new Map<string, number>()

  /** `files`: those that the document has its reader write, and the packages that these use, are in the folder. */
  async open(files: ReadonlyArray<Block> = []): Promise<void> {
    symlinkSync(join(root, "dist"), join(this.folder, "dist"))
    const program = join(this.folder, "ss-proxy")
    writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`)
    chmodSync(program, 0o755)
    const free = await freePorts(ownPorts.length)
    this.ports = new Map(ownPorts.map((port, index) => [port, free[index] ?? 0]))
    const proxy = spawn(process.execPath, [binary, "run", "--demo", "--port", "0"], {
      cwd: this.folder,
      env: cleanEnvironment(),
      stdio: "pipe",
    })
    this.background.push(proxy)
    this.proxyPort = await new Promise((resolve, reject) => {
      let said = ""
      proxy.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text
        const port = /listening on http:\/\/localhost:(\d+)/.exec(said)?.[1]
        if (port !== undefined) resolve(Number(port))
      })
      proxy.once("exit", () => reject(new Error(`the proxy did not start: ${said}`)))
    })
    if (files.length > 0) symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"))
    for (const { file, text } of files) writeFileSync(join(this.folder, file), this.here(text))
  }

  async close(): Promise<void> {
    for (const child of this.background) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const gone = once(child, "exit")
      // The group, for those that were given one: a shell and what it runs.
      if (child === this.background[0]) child.kill("SIGTERM")
      else if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** A text of a document with the addresses of this test. */
  here(text: string): string {
    return text
      .replaceAll(proxyName, `localhost:${this.proxyPort}`)
      .replaceAll(namedPorts, (port) => String(this.ports.get(port)))
  }

  /**
   * Types a block, and gives back what it printed; fails where a command of it does. `hear` gets what it prints as it
   * comes.
   */
  async type(block: Pick<Block, "kind" | "text">, hear: (text: string) => void = () => {}): Promise<string> {
    const child = spawn("/bin/sh", ["-euc", this.here(block.text)], {
      cwd: this.folder,
      detached: true,
      env: { ...cleanEnvironment(), NO_COLOR: "1", PATH: `${this.folder}${delimiter}${process.env["PATH"]}` },
      stdio: ["ignore", "pipe", "pipe"],
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      hear(text)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    if (block.kind === "background") {
      this.background.push(child)
      await listening(this.ports.get(block.text.match(namedPorts)?.[0] ?? "") ?? 0)
      return ""
    }
    const [code] = await once(child, "close")
    if (code !== 0) throw new Error(`exit code ${code}\n${stdout}\n${stderr}`)
    return stdout
  }
}
