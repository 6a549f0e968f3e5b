import { Effect, type Scope } from "effect"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { spawnSync } from "node:child_process"
import { Changes, type NotSeen } from "./Changes.js"
import { startTool } from "./Tool.js"

/** A python that has the package `websockets`, old (Debian's) or new. */
export const pythonWithWebSockets: string | undefined = ["python3", "/usr/bin/python3"].find(
  (python) =>
    spawnSync(python, ["-c", "import websockets; from websockets.exceptions import ConnectionClosed"]).status === 0,
)

/**
 * One end of a WebSocket, as a client of the URL that it is given or as a server where there is none. It does what lines
 * on its standard input say, a JSON list of an action and its arguments each, and says what came of it in a line.
 */
const program = `
import asyncio, hashlib, json, os, sys, time
import websockets
from websockets.exceptions import ConnectionClosed

for name in list(os.environ):
    if name.lower().endswith("_proxy"):
        del os.environ[name]

def shown(message):
    return message if isinstance(message, str) else [len(message), hashlib.sha256(message).hexdigest()]

def ending(ws):
    return ["closed", ws.close_code, ws.close_reason]

async def act(ws, action, *arguments):
    if action == "agreed":
        return [ws.subprotocol, [extension.name for extension in getattr(ws, "protocol", ws).extensions]]
    if action == "path":
        return ws.request.path if hasattr(ws, "request") else ws.path
    if action == "send":
        return await ws.send(*arguments)
    if action == "send bytes":
        return await ws.send(bytes(index % 251 for index in range(arguments[0])))
    if action == "receive":
        return shown(await ws.recv())
    if action == "ping":
        start = time.perf_counter()
        await (await ws.ping(*arguments))
        return time.perf_counter() - start
    if action == "close":
        return await ws.close(*arguments)
    if action == "closed":
        await ws.wait_closed()
        return ending(ws)
    raise ValueError(action)

def say(value):
    print(json.dumps(value), flush=True)

async def obey(ws):
    say("open")
    while True:
        line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        if line == "":
            return
        try:
            say(await act(ws, *json.loads(line)))
        except ConnectionClosed:
            say(ending(ws))

settings = { "subprotocols": ["v2", "v1"], "max_size": None, "ping_interval": None }

async def serve():
    async with websockets.serve(obey, "127.0.0.1", 0, **settings) as server:
        say(server.sockets[0].getsockname()[1])
        await asyncio.Future()

async def connect(url):
    try:
        async with websockets.connect(url, **settings) as ws:
            await obey(ws)
    except websockets.exceptions.InvalidHandshake as refusal:
        response = getattr(refusal, "response", None)
        say(["refused", response.status_code if response else refusal.status_code])

asyncio.run(connect(sys.argv[1]) if len(sys.argv) > 1 else serve())
`

/** One end of a WebSocket in a python process of its own. */
export class PythonWebSocket {
  private readonly changes = new Changes()
  private readonly words: Array<unknown> = []
  private taken = 0
  private text = ""
  private complaints = ""

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      const lines = (this.text + piece).split("\n")
      this.text = lines.pop() ?? ""
      for (const line of lines) this.words.push(JSON.parse(line))
      this.changes.announce()
    })
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (this.complaints += piece))
    child.stdin.on("error", () => {})
  }

  /** Its next word. */
  get said(): Effect.Effect<unknown, NotSeen> {
    return this.changes
      .until(
        "a word of python",
        () => this.words.length > this.taken,
        () => `${this.taken} words; ${this.complaints}`,
      )
      .pipe(Effect.map(() => this.words[this.taken++]))
  }

  /** Lets it do something, and gives what came of it. */
  ask(action: string, ...rest: ReadonlyArray<unknown>): Effect.Effect<unknown, NotSeen> {
    return Effect.suspend(() => {
      this.child.stdin.write(`${JSON.stringify([action, ...rest])}\n`)
      return this.said
    })
  }

  /** Starts a client. Its first word is `open`, or how it was refused. */
  static connect(python: string, url: string): Effect.Effect<PythonWebSocket, never, Scope.Scope> {
    return PythonWebSocket.start(python, [url.replace(/^http/, "ws")])
  }

  /** Starts a server, and gives its base URL. Its next word is `open`, once a client has come. */
  static serve(
    python: string,
  ): Effect.Effect<{ readonly server: PythonWebSocket; readonly url: string }, NotSeen, Scope.Scope> {
    return Effect.gen(function* () {
      const server = yield* PythonWebSocket.start(python, [])
      return { server, url: `http://127.0.0.1:${String(yield* server.said)}` }
    })
  }

  private static start(
    python: string,
    args: ReadonlyArray<string>,
  ): Effect.Effect<PythonWebSocket, never, Scope.Scope> {
    return Effect.map(startTool(python, ["-c", program, ...args]), (child) => new PythonWebSocket(child))
  }
}
