// The verbs, in the order of the help.
import type { Verb } from "./verb.js";
import { adopt, prune, recover, restore } from "./verbs/change.js";
import { explore } from "./verbs/explore.js";
import { backups, doctor, explain, status } from "./verbs/look.js";
import { plan } from "./verbs/plan.js";

export const VERBS: Readonly<Record<string, Verb>> = {
  status,
  plan,
  recover,
  backups,
  restore,
  prune,
  adopt,
  doctor,
  explain,
  explore,
};
