// A pause for a test that looks at the directory.
import type { Event } from "../generated.js";
import { Points, type Point } from "./points.js";

/**
 * Pauses an upgrade before a step, and looks. The upgrade goes on when `look` has settled.
 *
 * ```ts
 * await pauseAt("before-flip", (onEvent) => migrate({ ...options, onEvent }), () => {
 *   assert.equal(versionOf(path), 1);
 * });
 * ```
 *
 * @param point A `before-` point: {@link Point}.
 * @param start Starts the upgrade with this listener, and gives its promise.
 * @returns What `start` resolves with.
 * @throws What `start` rejects with, else what `look` threw; `Error` if the upgrade did not come to
 * the point: the message names the points that it came to.
 */
export async function pauseAt<T>(
  point: `before-${string}`,
  start: (onEvent: (event: Event) => Promise<void>) => Promise<T>,
  look: (event: Event) => unknown,
): Promise<T> {
  const points = new Points();
  const passed: Point[] = [];
  let looked: { thrown?: unknown } | undefined;
  const result = await start(async (event) => {
    const at = points.of(event);
    if (at === undefined) return;
    passed.push(at);
    if (at !== point || looked) return;
    looked = {};
    try {
      await look(event);
    } catch (thrown) {
      looked = { thrown };
    }
  });
  if (!looked)
    throw new Error(`the upgrade did not come to ${point}; it came to ${passed.join(", ") || "no step"}`);
  if ("thrown" in looked) throw looked.thrown;
  return result;
}
