import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { gzipSync } from "node:zlib"
import { DemoDownstream } from "../../src/demo/DemoDownstream.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { Arrived, longBody } from "../support/LongBody.js"
import { startProxy } from "../support/TestProxy.js"
import { runTool } from "../support/Tool.js"
import { gibibyte, mebibyte, report, startTransferLab, staysFlat, transferTime, whole } from "../support/Transfers.js"

describeUnless(lacking("curl"))("long transfers by curl", () => {
  const download = (url: string) =>
    Effect.gen(function* () {
      const arrived = new Arrived()
      const { code, stderr } = yield* runTool("curl", ["-sS", url], { output: arrived.take })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      return arrived
    })

  const upload = (url: string, bytes: number, ...args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* runTool("curl", ["-sS", "-T", "-", ...args, url], {
        input: longBody(bytes),
      })
      assert.strictEqual(code, 0, stderr)
      const answer: unknown = JSON.parse(stdout)
      return { answer, stderr }
    })

  it.scopedLive(
    "of 1 GiB hold the proxy's memory flat, down and up",
    () =>
      Effect.gen(function* () {
        const lab = yield* startTransferLab
        const { url } = lab
        const bytes = gibibyte
        const transfers = Effect.gen(function* () {
          assert.deepInclude(yield* download(`${url}/chunked/${bytes}`), whole(bytes))
          assert.deepStrictEqual((yield* upload(`${url}/`, bytes)).answer, report(bytes))
        })
        yield* staysFlat(lab, "1 GiB down and up by curl", transfers)
      }),
    transferTime,
  )

  it.scopedLive("wait for 100 Continue, which comes", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* startTransferLab
      // Longer than a test may take: who sends its body without the interim response has failed.
      const args = ["-v", "-H", "Expect: 100-continue", "--expect100-timeout", "60"]
      const { answer, stderr } = yield* upload(`${url}/`, 3 * mebibyte, ...args)
      assert.deepStrictEqual(answer, report(3 * mebibyte))
      assert.match(stderr, /< HTTP\/1\.1 100 Continue/)
      assert.strictEqual(origin.exchanges.length, 1)
    }),
  )
})

describeUnless(lacking("curl"))("curl, through a session", () => {
  /** Runs curl on paths of the demo server. */
  const demo = Effect.gen(function* () {
    const { url } = Context.get(yield* Layer.build(DemoDownstream.layer), DemoDownstream)
    const proxy = yield* startProxy({ sessions: { app: url } })
    const curl = (path: string, ...args: ReadonlyArray<string>) =>
      runTool("curl", ["-sS", ...args, `${proxy.url}/app${path}`])
    return { curl }
  })

  it.scopedLive("follows relative redirects within the session", () =>
    Effect.gen(function* () {
      const { curl } = yield* demo
      const { stdout } = yield* curl("/redirect/3", "-L", "-w", "\n%{num_redirects} %{url_effective}")
      assert.match(stdout, /\n3 http:\/\/127\.0\.0\.1:\d+\/app\/get$/)
    }),
  )

  it.scopedLive("asks by HEAD, and is told the length", () =>
    Effect.gen(function* () {
      const { curl } = yield* demo
      const { code, stdout } = yield* curl("/bytes/1000", "-I")
      assert.strictEqual(code, 0)
      assert.match(stdout, /^HTTP\/1\.1 200 OK\r\n/)
      assert.match(stdout, /^content-length: 1000\r$/im)
    }),
  )

  it.scopedLive("sends a form with a file", () =>
    Effect.gen(function* () {
      const { curl } = yield* demo
      const { stdout } = yield* curl("/anything", "-F", "name=value", "-F", "file=content;filename=a.txt")
      const answer: unknown = JSON.parse(stdout)
      assert.isObject(answer)
      assert.deepInclude(answer, { method: "POST", form: { name: "value" }, files: { file: "content" } })
    }),
  )

  it.scopedLive("speaks HTTP/1.0, and has the whole of an answer without a length", () =>
    Effect.gen(function* () {
      const { curl } = yield* demo
      const { code, stdout } = yield* curl(
        "/stream-bytes/200000",
        "--http1.0",
        "-o",
        "/dev/null",
        "-w",
        "%{size_download}",
      )
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "200000" })
    }),
  )

  it.scopedLive("offers to go over to HTTP/2, and is answered by HTTP/1.1", () =>
    Effect.gen(function* () {
      const { curl } = yield* demo
      const { code, stdout } = yield* curl("/status/204", "--http2", "-w", "%{http_code} %{http_version}")
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "204 1.1" })
    }),
  )

  it.scopedLive("keeps its connection for the next request", () =>
    Effect.gen(function* () {
      const { curl } = yield* demo
      const { stderr } = yield* curl("/bytes/[1-3]", "-v", "-o", "/dev/null")
      assert.lengthOf(stderr.match(/Connected to /g) ?? [], 1)
      assert.lengthOf(stderr.match(/^< HTTP\/1\.1 200/gm) ?? [], 3)
    }),
  )

  it.scopedLive("unpacks what the server has packed", () =>
    Effect.gen(function* () {
      const text = "compress me, ".repeat(10_000)
      const origin = yield* HttpOrigin.start((request, response) => {
        if (!/\bgzip\b/.test(String(request.headers["accept-encoding"]))) return void response.end("not asked for")
        response.setHeader("Content-Encoding", "gzip")
        response.end(gzipSync(text))
      })
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      assert.strictEqual((yield* runTool("curl", ["-sS", "--compressed", `${proxy.url}/app/`])).stdout, text)
    }),
  )

  it.scopedLive("sends a path as it stands", () =>
    Effect.gen(function* () {
      const origin = yield* HttpOrigin.start((request, response) => void response.end(request.url))
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const path = "/a/../b//c%2Fd;e=1/./?q=%20+&&"
      const { stdout } = yield* runTool("curl", ["-sS", "--path-as-is", `${proxy.url}/app${path}`])
      assert.strictEqual(stdout, path)
    }),
  )
})
