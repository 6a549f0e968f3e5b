// A collector for spans that takes everything and looks at nothing: `node scripts/bench/collector.mjs 4318`, for
// `npm run bench:compare -- --before . --after . --after-env OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318,…`.
import { createServer } from "node:http"

const port = Number(process.argv[2] ?? 4318)

createServer((request, response) => {
  request.resume()
  request.on("end", () => response.setHeader("content-type", "application/json").end("{}"))
}).listen(port, "127.0.0.1")
