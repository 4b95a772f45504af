// `npm run build:release [-- PLATFORM…]`: the addon of each platform and every package, as tarballs in target/packages. Without a name: all platforms.
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLATFORMS, platformPackage } from "../bindings-node/platforms.mjs";
import { MOST, cargoTool, crossBuild, crossTools } from "./cross-build.mjs";
import { fail, npmInstall, root, run, rustTargets } from "./setup.mjs";

const asked = process.argv.slice(2);
const platforms = asked.length > 0 ? asked : Object.keys(PLATFORMS);
const unknown = platforms.find((name) => !(name in PLATFORMS));
if (unknown) fail(`there is no platform ${unknown}, only ${Object.keys(PLATFORMS).join(", ")}`);

const packages = join(root, "target/packages");
const staged = join(root, "target/packages-staged");
for (const directory of [packages, staged]) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
}

npmInstall();
rustTargets();
crossTools(platforms);
run(process.execPath, ["bindings-wasm/build.mjs"]);
run(process.execPath, ["bindings-node/face.mjs"]);

/** The licences of what is compiled into the programs of a crate. */
const about = cargoTool("cargo-about", "0.9.3", "--features=cli");
const notices = (crate) =>
  run(about, ["generate", "--offline", "--locked", `--manifest-path=${crate}/Cargo.toml`, "scripts/notices.hbs"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
const [ofAddons, ofModules] = ["bindings-node", "bindings-wasm/diagnose"].map(notices);

const large = [];
for (const platform of platforms) {
  const library = crossBuild(platform, join(root, "target/release-build")) ?? fail(`the addon of ${platform} cannot be built`);
  const addon = platformPackage(platform, join(staged, `cutover-${platform}`));
  copyFileSync(library, addon);
  chmodSync(addon, 0o644);
  const { size } = statSync(addon);
  console.log(`cutover-${platform}: ${size} bytes`);
  if (size > MOST) large.push(platform);
}
if (large.length > 0) fail(`an addon may have ${MOST} bytes; larger: ${large.join(", ")}`);

for (const [name, room] of [["cutover", "bindings-node"], ["cutover-wasm", "bindings-wasm"]]) {
  cpSync(join(root, room, "dist"), join(staged, name, "dist"), { recursive: true });
  const { private: _, scripts, devDependencies, ...manifest } = JSON.parse(readFileSync(join(root, room, "package.json"), "utf8"));
  // npm installs the one that fits. They are one release with the JavaScript.
  const optional = Object.fromEntries(Object.keys(PLATFORMS).map((platform) => [`cutover-${platform}`, manifest.version]));
  if (name === "cutover") manifest.optionalDependencies = optional;
  writeFileSync(join(staged, name, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}
for (const name of readdirSync(staged)) {
  copyFileSync(join(root, "LICENSE"), join(staged, name, "LICENSE"));
  const isAddon = name.replace("cutover-", "") in PLATFORMS;
  writeFileSync(join(staged, name, "NOTICES.txt"), isAddon ? ofAddons : ofModules);
  if (!isAddon) copyFileSync(join(root, "README.md"), join(staged, name, "README.md"));
  run("npm", ["pack", "--silent", "--pack-destination", packages], { cwd: join(staged, name) });
}
console.log(`packages: ${packages}`);
