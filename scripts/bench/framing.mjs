// How proxies treat requests with ambiguous framing: `node scripts/bench/framing.mjs [--verbose] [NAME…]`.
// Needs the packages of this folder (scripts/bench/Setup.mjs installs them) and a build of this project.
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { cases } from "./framing/Cases.mjs"
import { RecordingOrigin } from "./framing/RecordingOrigin.mjs"
import { loadPeer, startPeer } from "./peers/Peers.mjs"

/** Time limit for the answer of a proxy, in milliseconds. */
const patience = 1_500

/** The possible results of a case, from best to worst. */
const verdicts = /** @type {const} */ ([
  "refused",
  "forwarded",
  "dropped",
  "ambiguous",
  "altered",
  "hung",
  "smuggled",
  "crashed",
])
const legend = `refused: an error status, and nothing at the origin; forwarded: exactly one well-formed request, whole;
dropped: closed without a word; ambiguous: passed on in a form that no strict reader takes;
altered: one request, and not its body; hung: no answer in ${patience} ms; smuggled: more requests than were sent.`

/**
 * Sends bytes, and reads until the proxy closes, or until it has answered and sends no more.
 *
 * @param {number} port
 * @param {string} bytes
 * @returns {Promise<{ status: number, text: string }>} status 0 if there was no answer
 */
const exchange = (port, bytes) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    let text = ""
    const over = () => {
      clearTimeout(deadline)
      clearTimeout(quiet)
      socket.destroy()
      const final = /(?:^|\r\n\r\n)HTTP\/1\.1 ([2-5]\d\d)/.exec(text)?.[1]
      resolve({
        status: Number(final ?? 0),
        text: socket.readableEnded || socket.errored !== null ? `${text}\0` : text,
      })
    }
    const deadline = setTimeout(over, patience)
    /** @type {NodeJS.Timeout | undefined} */
    let quiet
    socket.on("connect", () => socket.write(bytes, "latin1"))
    socket.on("data", (data) => {
      text += data.toString("latin1")
      clearTimeout(quiet)
      if (!text.startsWith("HTTP/1.1 1") || /\r\n\r\nHTTP/.test(text)) quiet = setTimeout(over, 120)
    })
    socket.on("end", over).on("error", over)
  })

/**
 * @param {import("./framing/Cases.mjs").Case} one
 * @param {{ status: number, text: string }} answer
 * @param {ReturnType<RecordingOrigin["take"]>} at
 * @returns {(typeof verdicts)[number]}
 */
const judge = ({ body }, { status, text }, { seen, fault, bytes }) => {
  if (seen.length > 1 || seen.some(({ target }) => target.endsWith("/hidden"))) return "smuggled"
  if (fault !== undefined) return "ambiguous"
  const [request] = seen
  if (request !== undefined && body !== undefined && request.body !== body) return "altered"
  if (request !== undefined) return status === 0 ? "hung" : "forwarded"
  if (status >= 400) return bytes === 0 ? "refused" : "ambiguous"
  if (status > 0) return "forwarded"
  return text.endsWith("\0") ? "dropped" : "hung"
}

/**
 * @param {string} name
 * @param {string} folder
 */
const tryPeer = async (name, folder) => {
  const origin = new RecordingOrigin()
  const originPort = await origin.listen()
  const start = async () => startPeer(await loadPeer(name), originPort, mkdtempSync(join(folder, "peer-")))
  let running = await start()
  const counts = new Map(verdicts.map((verdict) => [verdict, 0]))
  /** @type {Array<readonly [what: string, verdict: string]>} */
  const told = []
  for (const one of cases) {
    origin.take()
    const answer = await exchange(running.port, one.bytes)
    await sleep(20)
    const seen = origin.take()
    const probe = () => exchange(running.port, "GET /bench/probe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    const isAlive = (await probe()).status === 200 || (await probe()).status === 200
    const verdict = isAlive ? judge(one, answer, seen) : "crashed"
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
    told.push([one.what, seen.fault === undefined ? verdict : `${verdict} (${seen.fault})`])
    if (!isAlive) {
      await running.stop()
      running = await start()
    }
  }
  await running.stop()
  origin.close()
  return { name, counts, told }
}

const given = process.argv.slice(2)
const verbose = given.includes("--verbose")
const chosen = given.filter((word) => !word.startsWith("-"))
const names = chosen.length > 0 ? chosen : ["ss-proxy", "nginx", "reply-from", "http-proxy-3", "http-proxy"]
const folder = mkdtempSync(join(tmpdir(), "framing-"))
try {
  const width = Math.max(...names.map((name) => name.length))
  process.stdout.write(`${cases.length} requests each\n${legend}\n\n${" ".repeat(width)}  ${verdicts.join("  ")}\n`)
  for (const name of names) {
    const { counts, told } = await tryPeer(name, folder)
    const cells = verdicts.map((verdict) => String(counts.get(verdict)).padStart(verdict.length))
    process.stdout.write(`${name.padEnd(width)}  ${cells.join("  ")}\n`)
    const worth = told.filter(([, verdict]) => verbose || !/^(?:refused|forwarded)/.test(verdict))
    for (const [what, verdict] of worth) process.stdout.write(`    ${verdict}: ${what}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
