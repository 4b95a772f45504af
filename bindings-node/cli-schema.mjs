// The JSON Schema of what `npx cutover <verb> --json` prints: `cli.schema.json`, which
// scripts/generate-types.mjs writes. `types`: the schema of the Rust types.

const text = { type: "string" };
const of = (name) => ({ $ref: `#/$defs/${name}` });
const list = (items) => ({ type: "array", items });
const orNull = (schema) => ({ anyOf: [schema, { type: "null" }] });
const object = (description, properties) => ({
  description,
  type: "object",
  properties,
  additionalProperties: false,
  required: Object.keys(properties),
});
const any = (description, ...anyOf) => ({ description, anyOf });

const planned = {
  plan: orNull(of("Plan")),
  freeBytes: { type: ["integer", "null"], minimum: 0 },
  findings: list(of("Finding")),
};
const companion = object("A companion.", {
  restored: { type: "boolean" },
  why: { type: ["string", "null"] },
  displaced: { type: ["string", "null"] },
});

/** What each verb prints, by its name. */
const VERBS = {
  status: { description: "What `status` prints.", ...of("Diagnosis") },
  plan: object("What `plan` prints; `plan` is null where there is nothing to do.", planned),
  recover: object("What `recover` prints.", {
    recovery: of("Recovery"),
    backup: { type: ["string", "null"] },
    report: {},
    warnings: list(of("Warning")),
  }),
  backups: { description: "What `backups` prints.", ...list(of("Backup")) },
  restore: any(
    "What `restore` prints; with `--dry-run` the plan.",
    object("A restore.", {
      backup: text,
      displaced: text,
      recovery: of("Recovery"),
      companions: { type: "object", additionalProperties: companion },
      warnings: list(of("Warning")),
    }),
    object("A dry run.", planned),
  ),
  prune: object("What `prune` prints.", { removed: list(text), left: list(of("Left")) }),
  adopt: object("What `adopt` prints.", { backup: text, warnings: list(of("Warning")) }),
  doctor: any("What `doctor` prints.", of("Bundle"), object("With `--out`.", { out: text })),
  explain: any(
    "What `explain` prints; without a text every code.",
    of("Explanation"),
    list(of("Explanation")),
  ),
  explore: any("What `explore` prints; with `--replay` lines.", of("CrashMatrix"), list(text)),
};

/** The exit codes of exit.ts. */
const EXITS = [1, 2, 64, 65, 66, 69, 70, 74, 75, 130];

export function cliSchema({ $schema, $defs: types }) {
  const error = object("A failure.", {
    code: { description: "Null where the failure has no short code.", ...orNull(of("Code")) },
    message: text,
    exit: { enum: EXITS },
  });
  const own = { ...VERBS, failure: object("What a verb prints that fails.", { error }) };
  const $defs = {};
  const take = (schema) => {
    for (const [, name] of JSON.stringify(schema).matchAll(/"#\/\$defs\/(\w+)"/g)) {
      if (name in $defs || name in own) continue;
      $defs[name] = types[name];
      take(types[name]);
    }
  };
  take(own);
  return {
    $schema,
    title: "cutover --json",
    description: "What `cutover <verb> --json` prints: one document, by the verb, or a failure.",
    anyOf: Object.keys(own).map(of),
    $defs: {
      ...own,
      ...Object.fromEntries(Object.entries($defs).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}
