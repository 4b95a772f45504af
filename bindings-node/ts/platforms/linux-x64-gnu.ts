/** `cutover` with the addon of linux-x64-gnu, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("linux-x64-gnu", () => require("cutover-linux-x64-gnu"));

export * from "../index.js";
