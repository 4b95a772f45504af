// What the sweep tells a process of it, and what that process leaves in its record.
import type { Point } from "./points.js";

/** A fault of one start. */
export type Fault =
  /** The process kills itself. */
  | { kind: "kill"; at: Point }
  /** The callback throws. */
  | { kind: "throw"; at: Point }
  /** Another process has the database open until the upgrade waits for it. */
  | { kind: "held"; path: string }
  /** Another process starts the application, or writes to v1. */
  | { kind: "second" | "write"; at: Point };

export interface Task {
  /** The URL of the scenario's module. */
  scenario: string;
  act: "seed" | "start" | "write";
  /** The folder whose files are watched; the application's is in it. */
  root: string;
  directory: string;
  /** The file of the record. */
  record: string;
  fault?: Fault;
  /** Whether `check` follows. */
  check?: boolean;
  wrote?: boolean;
  /** The bound of a process, milliseconds. */
  timeoutMs: number;
}

/** A line of a record. */
export type Line =
  | { point: Point; plan: string | null }
  | { begins: string }
  | { settles: string }
  /** A callback threw, which need not fail the start: an undo and a cleanup are tried again. */
  | { threw: string; callback: string }
  /** The file of the database. */
  | { path: string }
  /** The kit is called at callbacks. */
  | { callbacks: true }
  /** What a build changed that is there after it was undone. */
  | { outside: string[] }
  | { failed: string; in: string }
  /** The scenario can write to v1. */
  | { writes: true }
  | { ended: true };
