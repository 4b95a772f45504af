/** `cutover` with the addon of linux-x64-musl, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("linux-x64-musl", () => require("cutover-linux-x64-musl"));

export * from "../index.js";
