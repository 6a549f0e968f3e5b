#!/usr/bin/env node
import { main } from "./cli/Main.js"
void main(process.argv.slice(2))
