// The server of a session, for packaging/compose.yaml: says who it is at every path, and streams words at /events.
// With `--health` it asks the server that runs here, and its exit code is the answer.
import { createServer } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"

const port = 9000
const name = process.env.SERVER_NAME ?? "nobody"

if (process.argv.includes("--health")) {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  process.exit(answer.ok ? 0 : 1)
}

/** @param {import("node:http").ServerResponse} response */
const streamWords = async (response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream" })
  for (const word of ["these", "words", "come", "one", "by", "one"]) {
    response.write(`data: ${name}: ${word}\n\n`)
    await sleep(200)
  }
  response.end()
}

const server = createServer((request, response) => {
  request.resume()
  if (request.url === "/events") return void streamWords(response)
  response.writeHead(200, { "Content-Type": "text/plain" })
  response.end(`${name} got ${request.method} ${request.url}\n`)
})
server.listen(port)
process.once("SIGTERM", () => server.close())
