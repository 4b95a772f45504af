/** `cutover` with the addon of darwin-x64, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("darwin-x64", () => require("cutover-darwin-x64"));

export * from "../index.js";
