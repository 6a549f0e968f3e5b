// Loaded into the proxy before its program: tells how long the turns of its event loop are. A timer that is due every
// millisecond is late by as much as the turn before it took. On a machine that does other things, too, that is no fault of
// the proxy: so the time of the CPU is taken, besides that of the clock.
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
