// Stands for the global `performance` in the program's bundle (see bundles.mjs).
export { performance } from "node:perf_hooks"
