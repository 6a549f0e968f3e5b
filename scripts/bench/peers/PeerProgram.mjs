// Runs a peer that is a library in a process of its own: `node PeerProgram.mjs NAME ORIGIN`. It prints `listening
// PORT`, and ends when its standard input ends.
const [name, origin] = process.argv.slice(2)
const { peer } = await import(`./${name}.mjs`)
const port = await peer.serve(origin)
process.stdout.write(`listening ${port}\n`)
process.stdin.on("end", () => process.exit(0)).resume()
