// The type of a proxy to compare with. Each file in this folder describes the proxy of its name.

/**
 * The environment of a program.
 *
 * @typedef {object} Place
 * @property {number} port to listen on
 * @property {string} origin URL of the server behind the proxy
 * @property {string} folder for its own files
 * @property {string | undefined} database of sessions, for those that have one
 */

/**
 * A proxy to compare with. A library has `serve`, and runs in PeerProgram.mjs; a program has `command`.
 *
 * @typedef {object} Peer
 * @property {string} about its version and configuration
 * @property {boolean} webSockets whether it forwards them
 * @property {(origin: string) => Promise<number>} [serve] listens on a port that the kernel chooses, and returns it
 * @property {(place: Place) => string[] | undefined} [command] undefined if the program is not installed
 * @property {boolean} [sessions] whether it reads the `sessions` table
 * @property {string[]} [version] the command that prints its version
 */

/**
 * @param {import("node:http").Server} server
 * @returns {Promise<number>} the port that the kernel chose
 */
export const listen = (server) =>
  new Promise((resolve, reject) => {
    server.keepAliveTimeout = 75_000
    server.requestTimeout = 0
    server.once("error", reject)
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
      const address = server.address()
      resolve(address !== null && typeof address === "object" ? address.port : 0)
    })
  })
