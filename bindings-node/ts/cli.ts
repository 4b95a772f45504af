/**
 * The command line. An application ships it under a name of its own, with its own options:
 *
 * ```js
 * process.exitCode = await main(process.argv.slice(2), { name: "myapp db", migrate: options });
 * ```
 *
 * @module
 */
export { exitCodes, type ExitCode } from "./cli/exit.js";
export { main, type CliOptions } from "./cli/run.js";
