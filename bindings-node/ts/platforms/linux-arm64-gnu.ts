/** `cutover` with the addon of linux-arm64-gnu, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("linux-arm64-gnu", () => require("cutover-linux-arm64-gnu"));

export * from "../index.js";
