// Loaded into the proxy before its program: measures the turns of its event loop. A timer that is due every millisecond
// is late by the length of the turn before it. On a busy machine a turn may be long without a fault of the proxy, so
// this measures CPU time, too.
let longest = { wall: 0, cpu: 0 }
let last = { at: performance.now(), cpu: process.cpuUsage() }

const look = () => {
  const at = performance.now()
  const { user, system } = process.cpuUsage(last.cpu)
  longest.wall = Math.max(longest.wall, at - last.at)
  longest.cpu = Math.max(longest.cpu, Math.min((user + system) / 1000, at - last.at))
  last = { at, cpu: process.cpuUsage() }
}
setInterval(look, 1).unref()

process.on("message", () => {
  look()
  process.send?.(longest)
  longest = { wall: 0, cpu: 0 }
})
process.channel?.unref()
process.on("disconnect", () => process.exit())
