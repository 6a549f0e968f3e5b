// Bodies of 64 MiB, one after the other, down or up.
import { peakMemory } from "../process/ProcessUsage.mjs"
import { ask, dial, readHead } from "./RawHttp.mjs"
import { openWindow } from "./Window.mjs"

const piece = Buffer.alloc(64 * 1024, "u")

/**
 * @param {import("node:net").Socket} socket
 * @param {string} path
 */
const download = async (socket, path) => {
  const status = await ask(socket, path)
  if (status !== 200) throw new Error(`the download was answered ${status}`)
}

/**
 * @param {import("node:net").Socket} socket
 * @param {string} path
 * @param {number} size
 */
const upload = async (socket, path, size) => {
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: ${size}\r\n\r\n`,
  )
  for (let sent = 0; sent < size; sent += piece.length)
    if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve))
  const { status } = await readHead(socket)
  if (status !== 200) throw new Error(`the upload was answered ${status}`)
  socket.resume()
}

/**
 * @typedef {object} TransferTask
 * @property {string} path
 * @property {number} size bytes
 * @property {"down" | "up"} way
 * @property {number} baseline memory of the proxy before all transfers, bytes
 */

/** @param {import("./NodeLoad.mjs").Against & TransferTask} task */
export const load = async ({ port, pids, seconds, path, size, way, baseline }) => {
  const once = async () => {
    const socket = await dial(port)
    await (way === "down" ? download : upload)(socket, path, size)
    socket.destroy()
  }
  const close = openWindow(pids)
  const until = performance.now() + seconds * 1000
  let count = 0
  while (count < 2 || performance.now() < until) {
    await once()
    count += 1
  }
  return { ...close(), count: (count * size) / 2 ** 30, errors: 0, growth: peakMemory(pids) - baseline }
}
