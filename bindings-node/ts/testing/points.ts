// The names of the points of an upgrade.
import type { Event } from "../generated.js";

/**
 * A point of an upgrade:
 *
 * - `before-<op>`: before a step, by the name of its op: `before-link`, `before-lock-v1`. A build is
 *   `before-build`, the application's other callbacks are `before-verify`, `before-undo` and
 *   `before-cleanup`. The step that makes v2 the database is `before-flip`.
 * - `in-<callback>`: in a callback of the application, after what it did: `in-build` after each
 *   answer that it awaits of its job, and at its end; `in-detect`, `in-verify`, `in-undo` and
 *   `in-cleanup` at their end.
 *
 * The second point of a name in a process has `:2` behind it.
 */
export type Point = `before-${string}` | `in-${string}`;

/** Names the points of one process, in order. */
export class Points {
  readonly #seen = new Map<string, number>();
  #previous = "";

  /** The point before a step. Nothing for an event of another type. */
  of(event: Event): Point | undefined {
    if (event.type !== "step") return undefined;
    const { op } = event;
    // The names beside the database are looked at directly before it is replaced.
    const flips = op === "page-copy" || (op === "rename" && this.#previous === "absent");
    this.#previous = op;
    return this.#numbered(flips ? "before-flip" : `before-${op.replace(/-(host|sql)$/, "")}`);
  }

  in(callback: string): Point {
    return this.#numbered(`in-${callback}`);
  }

  #numbered(name: Point): Point {
    const count = (this.#seen.get(name) ?? 0) + 1;
    this.#seen.set(name, count);
    return count === 1 ? name : `${name}:${count}`;
  }
}
