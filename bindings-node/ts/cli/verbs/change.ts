// The verbs that change files. Each is safe to kill: the next call, or the next start, goes on.
import { adoptBackup, planRestore, pruneBackups, restore as putBack } from "../../backups.js";
import type { Recovery } from "../../generated.js";
import { recover as recoverUpgrade } from "../../migrate.js";
import { ageMs, count, usage } from "../arguments.js";
import type { Line } from "../output.js";
import { CHANGE, plural, type Application, type Verb } from "../verb.js";
import { shown } from "./plan.js";

const RECOVERIES: Record<Recovery, string> = {
  none: "There was nothing to recover.",
  finished: "The interrupted work is finished.",
  undone: "The interrupted work is undone.",
  cleaned: "The work had ended; what it left is removed.",
  "set-aside": "A journal that could not be read is set aside.",
};

export const recover: Verb = {
  on: "application",
  says: "finish or undo an upgrade that was interrupted, and no more",
  page: [
    "Ends what a killed start or restore left: it undoes the upgrade while the database is v1, and",
    "finishes it once the database is v2. A start of the application does that as well; recover",
    "does it without going on to the next upgrade. It may be killed and called again.",
    "",
    "Close the application first.",
  ],
  options: {},
  examples: [["recover", "finish or undo"]],
  async run({ application }) {
    const result = await recoverUpgrade(application as Application);
    const { recovery, backup } = result;
    return {
      data: result,
      words: [RECOVERIES[recovery], ...(backup ? [`v1 is in ${backup}`] : [])],
    };
  },
};

export const restore: Verb = {
  on: "database",
  takes: { name: "backup" },
  says: "make a backup the database again, and set v2 aside",
  page: [
    "Makes a backup the database again. What the database held is set aside beside it, whole, with",
    "every row that was committed; the backup stays. A killed restore leaves a whole v1 or a whole",
    "v2, and the next call or start ends it.",
    "",
    "Close the application first, and start its old release afterwards: the new one would upgrade",
    "again. <backup> is a name that `backups` lists.",
  ],
  options: {
    ...CHANGE,
    "dry-run": { says: "show the steps, the room and what is in the way, and do nothing" },
  },
  examples: [
    ["restore --dry-run DB data.db.v1-v2-1764000000000-3fa9c1d2", "what it would do"],
    ["restore DB data.db.v1-v2-1764000000000-3fa9c1d2", "go back to v1"],
  ],
  async run(call) {
    const { path, options, values, words } = call;
    const backup = words[0] as string;
    if (values.has("dry-run")) return shown(await planRestore(path, backup, options), call);
    const result = await putBack(path, backup, options);
    const companions = Object.entries(result.companions).flatMap(
      ([name, { restored, why, displaced }]): Line[] => [
        `${name}: ${restored ? "as it was before the upgrade" : `left as it is: ${why}`}`,
        ...(displaced === null ? [] : [`  what it held is in ${displaced}`]),
      ],
    );
    const lines: Line[] = [
      `${path} is again what ${result.backup} holds; the backup stays.`,
      `What it held before is in ${result.displaced}`,
      ...companions,
      "Start the release of the application that this database is for.",
    ];
    return { data: result, words: lines };
  },
};

export const prune: Verb = {
  on: "database",
  says: "remove old backups by a rule, never the newest whole one",
  page: [
    "Removes the backups that every given rule allows, each with its receipt and the backups of its",
    "companions. The newest whole backup stays in any case. What is not whole stays too, and the",
    "answer names it. Give one rule at least.",
  ],
  options: {
    ...CHANGE,
    keep: { value: "N", says: "how many whole backups to keep, the newest" },
    "older-than": { value: "AGE", says: "remove only what is older: 12h, 30d, 4w" },
  },
  examples: [
    ["prune --keep 3 DB", "keep the three newest"],
    ["prune --keep 1 --older-than 30d DB", "only what is older than 30 days"],
  ],
  async run({ path, options, values }) {
    const [keep, olderThanMs] = [count(values, "keep"), ageMs(values, "older-than")];
    if (keep === undefined && olderThanMs === undefined) {
      throw usage("prune needs a rule: --keep N, --older-than AGE, or both");
    }
    const rule = {
      ...(keep === undefined ? {} : { keep }),
      ...(olderThanMs === undefined ? {} : { olderThanMs }),
    };
    const result = await pruneBackups(path, rule, options);
    const lines: Line[] = [
      ...result.removed.map((file) => `removed ${file}`),
      ...result.left.map(({ backup, why }): Line => [["yellow", "left "], `${backup}: ${why}`]),
      `${plural(result.removed.length, "backup")} removed.`,
    ];
    return { data: result, words: lines };
  },
};

export const adopt: Verb = {
  on: "database",
  takes: { name: "backup" },
  says: "check a backup that has no receipt, and give it one",
  page: [
    "Gives a backup a receipt, so that `restore` and `prune` take it: one whose receipt was lost, or",
    "one that a program before cutover left. A copy of it, with its log, is settled and checked, and",
    "takes its place. A file of another name (data.db.old) becomes a backup with a name of its own.",
    "The application may have its database open meanwhile. A killed adoption can be repeated.",
  ],
  options: CHANGE,
  examples: [["adopt DB data.db.old", "make it a backup"]],
  async run({ path, options, words }) {
    const result = await adoptBackup(path, words[0] as string, options);
    return { data: result, words: [`${result.backup} is whole: it can be restored.`] };
  },
};
