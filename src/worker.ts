import { workerMain } from "./cli/WorkerMain.js"
void workerMain()
