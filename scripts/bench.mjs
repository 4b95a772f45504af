// `npm run bench [MB…]`: the time of an upgrade beside the least that any must do. The addon is built for release: that is what is measured.
import { join } from "node:path";
import { root, run, setup } from "./setup.mjs";

setup();
run("npm", ["run", "--silent", "build", "--workspace", "cutover"]);
run(process.execPath, [join(root, "tests/dist/bench/bench.js"), ...process.argv.slice(2)]);
