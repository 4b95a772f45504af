/** `cutover` with the addon of win32-x64, for a program that a bundler makes. */
import { provide } from "../native.js";

provide("win32-x64", () => require("cutover-win32-x64"));

export * from "../index.js";
