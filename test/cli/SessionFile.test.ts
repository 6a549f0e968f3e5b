import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { AddressGuard } from "../../src/downstream/AddressGuard.js"
import { parseSessionFile as parseWith } from "../../src/cli/sessions/SessionFile.js"
import { backupOf, renderJson } from "../../src/cli/sessions/SessionView.js"
import { Session } from "../../src/domain/Session.js"
import { defaultPolicy } from "../../src/domain/SessionPolicy.js"

const policy = defaultPolicy
const a = { id: "a", url: "http://h:1", status: "active", policy }
const b = { id: "b", url: "wss://h:2/base", status: "paused", policy }

/** An entry of a file. */
const entry = ({ id, url, status }: typeof a) => ({ id, url, status })

const guard = new AddressGuard({ denyDownstream: ["10.0.0.0/8"], allowDownstream: [] })
const parseSessionFile = (text: string) => Effect.runPromise(Effect.either(parseWith(text, guard)))

const problemsOf = async (text: string) => Either.getOrThrow(Either.flip(await parseSessionFile(text))).problems

describe("a file of sessions", () => {
  it("may be a JSON array", async () => {
    expect(await parseSessionFile(JSON.stringify([a, b].map(entry), null, 2))).toEqual(Either.right([a, b]))
    expect(await parseSessionFile("[]")).toEqual(Either.right([]))
  })

  it("may be JSON lines, with empty ones between them and a byte order mark before them", async () => {
    expect(await parseSessionFile(`\uFEFF${JSON.stringify(entry(a))}\r\n\n${JSON.stringify(entry(b))}\n`)).toEqual(
      Either.right([a, b]),
    )
    expect(await parseSessionFile("")).toEqual(Either.right([]))
  })

  it("is active where it names no status, and passes over what else export writes", async () => {
    expect(
      await parseSessionFile('{"id":"a","url":"http://h:1","forwards":false,"created_at":"x","updated_at":null}'),
    ).toEqual(Either.right([a]))
  })

  it("names fields that no session has, and where they stand", async () => {
    const lines = [
      '{"id":"a","url":"http://h:1"}',
      '{"id":"b","url":"http://h:1","ws-path":"strip"}',
      '{"colour":"red"}',
    ]
    expect(await problemsOf(lines.join("\n"))).toEqual([
      'line 2: "ws-path" is no field of a session; did you mean "ws_path"?',
      'line 3: "colour" is no field of a session',
    ])
    expect(await problemsOf(`[${lines[0]},${lines[1]}]`)).toEqual([
      'entry 2: "ws-path" is no field of a session; did you mean "ws_path"?',
    ])
  })

  it("reads whatever export writes", async () => {
    const stored = new Session({ id: "a", url: "http://u:p@h:1", status: "x", createdAt: "1", updatedAt: null })
    const read = await parseSessionFile(renderJson([backupOf(stored)]))
    expect(Either.getOrThrow(read)).toMatchObject([{ id: "a", url: "http://u:p@h:1", status: "x" }])
  })

  it("may hold policies, as export prints them", async () => {
    const lines = [
      '{"id":"a","url":"http://h:1","insecure":true,"ws_path":"strip"}',
      '{"id":"b","url":"wss://h:2/base","status":"paused","insecure":false,"ws_path":null}',
    ]
    expect(await parseSessionFile(lines.join("\n"))).toEqual(
      Either.right([{ ...a, policy: { ...policy, insecure: true, wsPath: "strip" } }, b]),
    )
  })

  it("names policies that mean nothing", async () => {
    const entries = [{ insecure: "perhaps" }, { insecure: 1 }, { ws_path: "sideways" }, { ws_path: 7 }]
    const lines = entries.map((entry, index) => JSON.stringify({ id: `s${index}`, url: "h:1", ...entry }))
    expect(await problemsOf(lines.join("\n"))).toEqual([
      'line 1: "insecure" must be true or false',
      'line 2: "insecure" must be true or false',
      'line 3: its ws_path is "sideways"; it must be one of append, full, strip, or NULL',
      'line 4: "ws_path" must be a text or null',
    ])
  })

  it("names every entry that is wrong, and where it stands", async () => {
    const lines = ['{"id":1,"url":"h"}', '{"id":"ws","url":"h"}', '{"id":"x","url":"h?q"}', "{", '"a"', '{"id":"y"}']
    expect((await problemsOf(lines.join("\n"))).map((problem) => problem.replace(/: .*/, ""))).toEqual(
      lines.map((_, index) => `line ${index + 1}`),
    )
  })

  it("names an id that stands in it twice", async () => {
    expect(await problemsOf(JSON.stringify([a, b, a].map(entry)))).toEqual(['entry 3: the id "a" stands twice'])
  })

  it("names an entry whose URL holds an address that is denied, and the flag that denies it", async () => {
    const [problem] = await problemsOf('{"id":"a","url":"http://u:secret@10.1.2.3:80"}')
    expect(problem).toBe(
      'line 1: the URL "http://***@10.1.2.3:80" cannot be used: 10.1.2.3 may not be reached: ' +
        "10.0.0.0/8 is denied by the settings (see --deny-downstream and --allow-downstream)",
    )
  })

  it("is refused where the passwords were left out", async () => {
    expect((await problemsOf(JSON.stringify([{ id: "a", url: "http://***@h" }])))[0]).toContain(
      'use the output of "export"',
    )
  })
})
