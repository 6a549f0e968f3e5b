import { Effect } from "effect"
import { lstatSync, readdirSync, rmSync, type Stats } from "node:fs"
import { connect } from "node:net"
import { basename, dirname, join } from "node:path"
import { randomHex } from "../wire/RandomHex.js"

/** The longest path of a Unix socket that every system takes, in bytes. */
export const longestPath = 100

/** A name of a socket beside a file. Random, for in containers every process has the same number. */
export const socketBeside = (filename: string): string => `${filename}.${randomHex(3)}.sock`

const statOf = (path: string): Stats | undefined => {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Whether there is a Unix socket at this path; a link to one is none. */
export const isSocket = (path: string): boolean => statOf(path)?.isSocket() === true

const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** The sockets beside a file that are named as `socketBeside` names them, whether anybody answers there or not. */
export const socketsBeside = (filename: string): ReadonlyArray<string> => {
  const [folder, prefix] = [dirname(filename), `${basename(filename)}.`]
  return namesIn(folder)
    .filter((name) => name.startsWith(prefix) && /^[0-9a-f]{6}\.sock$/.test(name.slice(prefix.length)))
    .map((name) => join(folder, name))
    .filter(isSocket)
}

/** The user that a file belongs to; `undefined` where there is none. */
export const ownerOf = (path: string): number | undefined => statOf(path)?.uid

/** Whether somebody listens on a socket. Only a refusal says that nobody does. */
export const isAnswered = (path: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = connect(path)
    const answer = (isAnswered: boolean) => () => {
      socket.destroy()
      resume(Effect.succeed(isAnswered))
    }
    socket.once("connect", answer(true))
    socket.once("error", (error) => answer(!("code" in error) || error.code !== "ECONNREFUSED")())
    return Effect.sync(() => socket.destroy())
  })

/** Between the two tries: another process may be between the two steps that make a socket. Milliseconds. */
const secondLook = 100

/** Removes a socket that a process has left that ended without a word. Whether it is gone. */
export const removeStale = (path: string): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    if (!isSocket(path) || (yield* isAnswered(path))) return false
    yield* Effect.sleep(secondLook)
    if (!isSocket(path) || (yield* isAnswered(path))) return false
    return yield* Effect.sync(() => {
      try {
        rmSync(path)
        return true
      } catch {
        return false
      }
    })
  })
