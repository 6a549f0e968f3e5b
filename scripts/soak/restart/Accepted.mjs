// Loaded into a proxy before its program: writes down, when that ends, from which ports of clients it accepted connections.
import { subscribe } from "node:diagnostics_channel"
import { writeFileSync } from "node:fs"

const ports = []
subscribe("net.server.socket", ({ socket }) => void ports.push(socket.remotePort))
process.on("exit", () => writeFileSync(process.env.SOAK_ACCEPTED, JSON.stringify(ports)))
