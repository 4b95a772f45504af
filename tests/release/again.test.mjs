// Two builds of one commit are equal to the byte: each addon is built once more, in another folder.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PLATFORMS } from "../../bindings-node/platforms.mjs";
import { crossBuild } from "../../scripts/cross-build.mjs";
import { folder, packed } from "./support.mjs";

const again = folder();

for (const platform of Object.keys(PLATFORMS))
  test(`a second build for ${platform} is equal to the packed one`, () => {
    const second = readFileSync(crossBuild(platform, join(again, "target")));
    assert.ok(second.equals(packed(`cutover-${platform}`, "cutover.node")));
  });
