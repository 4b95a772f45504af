// What people send, from real runs. `npm run examples` makes them again.
import type { Given } from "cutover-wasm/diagnose";
import list from "./examples.json";

export interface Example {
  id: string;
  title: string;
  about: string;
  given: Given;
}

export const examples = list as unknown as Example[];
