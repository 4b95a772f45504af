#!/usr/bin/env node
// `npx cutover`. It runs in a process of its own, so it may open files that the process of the
// application has open.
import { main } from "../cli.js";

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
