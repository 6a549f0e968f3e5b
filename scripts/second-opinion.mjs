// Runs the wire suite on a proxy that uses undici for its requests to servers. A difference that is not in this list is
// a fault of ours or of undici. It takes about three minutes, so it is not part of `npm test` but of `.ci/run`.
// test/downstream runs its suite with both implementations. Arguments go to vitest.
import { spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Cases that undici cannot pass: the beginnings of their names (as regular expressions), and why. */
const differences = [
  [
    "on the way to the session's server (are left out|end-to-end|names that CGI|Connection cannot|nothing is invented|a thousand)",
    "undici says connection: keep-alive in every request",
  ],
  ["a request body that is not there is not invented: POST $", "undici says content-length: 0 there"],
  ["a request body that is not there is not invented: GET Content-Length: 0", "undici leaves it out"],
  ["a request body (of chunks may be empty|may arrive split at every byte)", "undici sends no request trailers"],
  [
    "Expect: 100-continue (is answered with 100|is ignored where|is not what another|lets a client learn)",
    "undici sends no Expect and takes no 100",
  ],
  ["whatever a request is made of its body arrives", "undici says content-length: 0 for chunks without content"],
  [
    "whatever a request is made of damage to it never",
    "undici has several connections, so the order in which they are seen is not that of the requests",
  ],
  [
    "a proxy that is told to stop serves the next request behind an answer",
    "undici has several connections, so the next one that its server sees need not be that of the next request",
  ],
  ["an answer to a request whose server hangs up .* what finds out", "undici reads no more once a write has failed"],
  [
    "old and closing ends a response until close is whole where its server hangs up",
    "undici holds the head until content is there, and takes the reset behind it for one in its midst",
  ],
  [
    "a client that is gone while nobody reads from it is noticed by its reset while its upload waits",
    "undici sends the head of a request with the first byte of its content",
  ],
  [
    "a proxy counts (a request, and where|a request that waited)",
    "undici has connections of its own, which nobody counts",
  ],
  [
    "the record of a (request says what it was|request has an id|WebSocket says how)",
    "the calls of undici tell no numbers of their own",
  ],
  [
    "the id of a request that failed that a client was told .* finds it",
    "the calls of undici do not say which server was asked",
  ],
  ["who does not read stops the client from sending", "undici holds the head until content is there"],
  [
    "a response (ends with its head whatever its framing fields say, and says nothing false: (HEAD|304|204, both)|loses blanks|may have blanks)",
    "undici's parser refuses these",
  ],
  ["behind a body a request has no field", "undici sends no request trailers"],
  ['a response keeps status 200 with the reason "caf\u00e9"', "undici reads the reason as UTF-8"],
  ["a response (to HEAD may be chunked|304 Not Modified)", "undici gives the connection up behind these"],
  [
    "a malformed response .*: (chunks in HTTP/1.0|HTTP/2.0|two empty lines before the status line)$",
    "undici's parser forgives these",
  ],
  [
    "an answer that (breaks the rules and can be read in one way|only a lenient reader takes)",
    "undici has a parser of its own, which repairs nothing",
  ],
  ["a problem with an answer", "undici's parser does not say where it is"],
  ["fields that a session's server gets are not in trailers either", "undici sends no request trailers"],
  ["a server that is just starting", "undici has connections of its own, which nobody holds a request for"],
  [
    "the time of a session for (the head of a response lets a model|a connection)",
    "undici's times are those of the proxy",
  ],
]

/** Files about clients, memory and speed, which no answer of a server decides. */
const others = ["EventDelay", "Retention", "Slowloris"]

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const sameForBoth = `^(?!${differences.map(([name]) => `(?:${name})`).join("|")})`

for (const [name, why] of differences) process.stdout.write(`left out: ${name}\n          ${why}\n`)
const left = others.flatMap((file) => ["--exclude", `test/proxy/${file}.test.ts`])
const tests = ["run", "test/proxy", ...left, "-t", sameForBoth]
const done = spawnSync(process.execPath, [vitest, ...tests, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, TEST_DOWNSTREAM: "undici" },
})
process.exit(done.status ?? 1)
