import { workerMain } from "./cli/run/WorkerMain.js"
void workerMain()
