import { IgnoredSignals } from "../IgnoredSignals.js"
import { WorkerSignals } from "./WorkerSignals.js"
import { limitYoungGeneration } from "../YoungGeneration.js"

/** The program of a worker, which `ss-proxy run --workers` starts. What it is to do comes from there, and so does its end. */
export const workerMain = async (): Promise<void> => {
  if (process.send === undefined) {
    process.stderr.write("ss-proxy: this is the program of a worker; it is started by ss-proxy run --workers\n")
    process.exitCode = 2
    return
  }
  const signals = new WorkerSignals()
  IgnoredSignals.start(["SIGUSR1", "SIGUSR2"])
  limitYoungGeneration()
  const { runWorker } = await import("./WorkerProgram.js")
  await runWorker(signals)
}
