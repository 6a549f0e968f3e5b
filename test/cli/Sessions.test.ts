import { describe, expect, it } from "@effect/vitest"
import { json, onDatabase } from "./Program.js"

const time = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)

describe("ss-proxy sessions", () => {
  it("adds a session, which list and show then have", async () => {
    const { sessions } = onDatabase()
    expect(await sessions("add", "a", "http://localhost:9000/base")).toEqual({
      code: 0,
      stdout: "added a -> http://localhost:9000/base (active)\n",
      stderr: "",
    })
    const expected = {
      id: "a",
      url: "http://localhost:9000/base",
      status: "active",
      forwards: true,
      created_at: time,
      updated_at: time,
    }
    expect(json(await sessions("list", "--json"))).toEqual([expected])
    expect(json(await sessions("show", "a", "--json"))).toEqual(expected)
    const shown = await sessions("show", "a")
    expect(shown.stdout).toContain("url      http://localhost:9000/base\n")
    expect((await sessions("list")).stdout).toMatch(
      /^ID {2}STATUS {2}URL {25}UPDATED\na {3}active {2}http:.* \d\d:\d\d:\d\d\n$/,
    )
  })

  it("warns of a status that does not forward, beside the JSON", async () => {
    const { sessions } = onDatabase()
    const added = await sessions("add", "a", "h:9000", "--status", "warming up", "--json")
    expect(added.code).toBe(0)
    expect(json(added)).toMatchObject({ status: "warming up", forwards: false })
    expect(added.stderr).toMatch(/^note: the status "warming up" does not forward.*active, online and ready forward\n$/)
  })

  it("refuses to add an id that exists, unless told to replace it", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    expect(await sessions("add", "a", "h:2")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        'ss-proxy: the session "a" exists already; change it with "ss-proxy sessions set a --url URL", or add it with --replace\n',
    })
    expect(json(await sessions("add", "a", "h:2", "--replace", "--json"))).toMatchObject({ url: "h:2" })
  })

  it("changes the URL, the status, or both", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    expect(json(await sessions("set", "a", "--url", "h:2", "--json"))).toMatchObject({ url: "h:2", status: "active" })
    expect(json(await sessions("set", "--status", "paused", "a", "--json"))).toMatchObject({
      url: "h:2",
      status: "paused",
      forwards: false,
    })
    expect(await sessions("set", "a")).toMatchObject({ code: 2, stdout: "" })
    expect(await sessions("set", "a", "--url", "h?q")).toMatchObject({ code: 1, stdout: "" })
  })

  it("removes all the ids it is given, or none", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    await sessions("add", "b", "h:1")
    expect(await sessions("remove", "a", "nowhere")).toMatchObject({ code: 1, stdout: "" })
    expect(json(await sessions("list", "--json"))).toHaveLength(2)
    expect(json(await sessions("remove", "a", "b", "--json"))).toMatchObject([{ id: "a" }, { id: "b" }])
    expect(json(await sessions("list", "--json"))).toEqual([])
  })

  it("suggests the id that was meant", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "notebook", "h:1")
    for (const command of [["show"], ["set", "--status", "x"], ["remove"]])
      expect(await sessions(...command, "notebok")).toEqual({
        code: 1,
        stdout: "",
        stderr: 'ss-proxy: there is no session "notebok"; did you mean "notebook"?\n',
      })
  })

  it("says how to add the first session, and still prints a JSON value", async () => {
    const { sessions } = onDatabase()
    const listed = await sessions("list")
    expect(listed).toMatchObject({ code: 0, stdout: "" })
    expect(listed.stderr).toMatch(/^no sessions in .*sessions\.db; add one: .* sessions add my-session/)
    expect(json(await sessions("list", "--json"))).toEqual([])
  })

  it("lists only the sessions of a status", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    await sessions("add", "b", "h:1", "--status", "paused")
    expect(json(await sessions("list", "--status", "paused", "--json"))).toMatchObject([{ id: "b" }])
  })
})
