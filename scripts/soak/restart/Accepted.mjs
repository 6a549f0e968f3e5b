// Loaded into a proxy before its program: writes down, when that ends, from which ports of clients it accepted connections,
// and when.
import { writeFileSync } from "node:fs"
import { Server } from "node:net"

const accepted = []
const { emit } = Server.prototype
// Before anybody else hears of a connection: the proxy takes the socket's handle away, and with it its addresses.
Server.prototype.emit = function (event, ...rest) {
  if (event === "connection") accepted.push([rest[0].remotePort, Date.now()])
  return emit.call(this, event, ...rest)
}
process.on("exit", () => writeFileSync(process.env.SOAK_ACCEPTED, JSON.stringify(accepted)))
