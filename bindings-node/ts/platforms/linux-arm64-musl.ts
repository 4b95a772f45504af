/** `cutover` with the addon of linux-arm64-musl, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("linux-arm64-musl", () => require("cutover-linux-arm64-musl"));

export * from "../index.js";
