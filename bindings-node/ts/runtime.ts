// Refuses a Node that is too old, before anything else of the package is loaded: each entry imports
// this module first.
const LEAST = 20;

if (Number.parseInt(process.versions.node, 10) < LEAST)
  throw new Error(
    `cutover needs Node ${LEAST} or newer, or Bun; this is Node ${process.versions.node}`,
  );

export {};
