/** `cutover` with the addon of darwin-arm64, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("darwin-arm64", () => require("cutover-darwin-arm64"));

export * from "../index.js";
