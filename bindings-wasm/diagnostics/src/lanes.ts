// What each file holds after each step of a plan, and what of it would be there after a power loss. It counts on nothing that was not flushed: a name
// is durable once its directory was flushed, a file's content once the file was. The crash matrix, which is the real explorer, looks at every state between.
import type { Guard, Op, Plan, Step } from "cutover-wasm";

/** What a file holds: now, and on the disk whatever happens. Nothing: it is not there. */
export interface Held {
  now: string | null;
  durable: string | null;
}

/** What is taken of what only the run knows. */
export interface Assumed {
  /** A closed connection still holds staging. */
  stagingHeld: boolean;
}

/** One step, and the lanes after it. */
export interface Column {
  step: Step;
  /** Whether its guard keeps it from being performed. */
  skipped: boolean;
  held: Map<string, Held>;
}

export interface Lanes {
  /** Names, as the plan has them. */
  files: string[];
  before: Map<string, Held>;
  columns: Column[];
}

/** Somebody made it before this plan; the plan looks at it. */
const FOUND = "as found";

interface Inode {
  what: string;
  /** What of it was flushed. */
  flushed: string | null;
}

class Disk {
  names = new Map<string, Inode>();
  /** The names that were flushed. */
  durable = new Map<string, Inode>();

  constructor(
    private readonly plan: Plan,
    start: Map<string, string>,
  ) {
    for (const [name, what] of start) this.names.set(name, { what, flushed: what });
    // What an interrupted start left is visible, and need not be durable: that is why a recovery flushes first.
    const known = plan.kind === "migrate" || plan.kind === "restore";
    this.durable = new Map([...this.names].map(([name, inode]) => [name, known ? inode : { what: inode.what, flushed: "not known" }]));
  }

  perform(op: Op): void {
    const { names } = this;
    switch (op.op) {
      case "write-journal":
        return this.create(op.file, `journal: ${op.phase}`);
      case "write-receipt":
        return this.create(op.file, "receipt");
      case "sync-file": {
        const inode = names.get(op.file);
        if (inode) inode.flushed = inode.what;
        return this.ordered();
      }
      case "sync-dir":
        return this.flush((name) => (op.companion === null ? !name.includes("/") : name.startsWith(`${op.companion}/`)));
      case "link":
        return this.name(op.from, op.to);
      case "rename":
      case "rename-new":
        this.name(op.from, op.to);
        names.delete(op.from);
        return this.ordered();
      case "remove":
        op.files.forEach((file) => names.delete(file));
        return;
      case "remove-link":
        names.delete(op.link);
        return;
      case "copy":
      case "restage":
      case "isolate": {
        const what = names.get(op.from)?.what ?? "a copy";
        return this.create(op.to, what === "v1" ? "copy of v1" : what);
      }
      case "build-sql":
      case "build-host":
        return this.create(op.staging, "v2");
      case "settle": {
        const inode = names.get(op.file);
        if (op.file === this.canonical && inode) inode.flushed = inode.what;
        for (const suffix of ["-wal", "-shm", "-journal"]) names.delete(op.file + suffix);
        return op.file === this.canonical ? this.flush((name) => name.startsWith(`${op.file}-`)) : undefined;
      }
      case "detect": {
        // The run goes on only where it is v2.
        const inode = names.get(op.file);
        if (inode?.what === FOUND) {
          inode.what = "v2";
          if (inode.flushed === FOUND) inode.flushed = "v2";
        }
        return;
      }
      case "page-copy": {
        const inode = names.get(op.to);
        if (inode) inode.what = inode.flushed = names.get(op.from)?.what ?? "v2";
        return;
      }
      default:
    }
  }

  private get canonical(): string | undefined {
    return this.plan.journal?.names.canonical;
  }

  private create(name: string, what: string): void {
    this.names.set(name, { what, flushed: null });
  }

  private name(from: string, to: string): void {
    const inode = this.names.get(from);
    if (inode) this.names.set(to, inode);
  }

  private flush(which: (name: string) => boolean): void {
    for (const name of new Set([...this.names.keys(), ...this.durable.keys()])) {
      if (!which(name)) continue;
      const inode = this.names.get(name);
      if (inode) this.durable.set(name, inode);
      else this.durable.delete(name);
    }
  }

  /** Windows has no flush of a directory: changes arrive in order, and a flush of a file, or a rename, writes those before it. */
  private ordered(): void {
    if (this.plan.platform === "windows") this.flush(() => true);
  }

  held(): Map<string, Held> {
    const all = new Set([...this.names.keys(), ...this.durable.keys()]);
    return new Map([...all].map((name) => [name, { now: this.names.get(name)?.what ?? null, durable: this.durable.get(name) ? (this.durable.get(name)?.flushed ?? "unflushed") : null }]));
  }
}

/** More than any plan of ours has: a plan that was made to be long is drawn as far as that. */
export const MOST_STEPS = 300;
const MOST_FILES = 40;

/** The steps that are performed where nothing fails: an undo ends with its `undo`. */
export const performed = ({ kind, steps, undo }: Plan): Step[] => (kind === "undo" ? [...steps, ...undo] : steps);

/** The lanes of a plan. `found`: the files that were there, and what is known of them. */
export function lanes(plan: Plan, found: ReadonlyMap<string, string | null>, assumed: Assumed): Lanes {
  const disk = new Disk(plan, begin(plan, found));
  const before = disk.held();
  const columns = performed(plan).slice(0, MOST_STEPS).map((step) => {
    const skipped = step.when !== null && !holds(step.when, assumed);
    if (!skipped) disk.perform(step.do);
    return { step, skipped, held: disk.held() };
  });
  const files = [...new Set([before, ...columns.map(({ held }) => held)].flatMap((held) => [...held.keys()]))];
  return { files: files.sort((a, b) => rank(plan, a) - rank(plan, b) || a.localeCompare(b)), before, columns };
}

/** The application staged what it may stage, and nobody changed a companion. */
function holds(guard: Guard, { stagingHeld }: Assumed): boolean {
  if (guard.if === "staging-held") return stagingHeld;
  if (guard.if === "staging-free") return !stagingHeld;
  return guard.if === "companion-staged";
}

/** What is there before the first step. */
function begin(plan: Plan, found: ReadonlyMap<string, string | null>): Map<string, string> {
  const start = new Map<string, string>();
  const role = (name: string) => roleOf(plan, name);
  for (const [name, what] of [...found].slice(0, MOST_FILES)) if (!name.includes("-lock")) start.set(name, what ?? as(plan, role(name)));
  if (start.size === 0) {
    // The plan alone. What it works on, and does not make itself, was there.
    const made = new Set<string>();
    for (const { do: op } of performed(plan)) {
      const takes = "from" in op ? [op.from] : op.op === "settle" || op.op === "check" || op.op === "check-v1" || op.op === "lock-v1" ? [op.file] : op.op === "build-sql" ? [op.v1] : [];
      for (const name of takes) if (!made.has(name)) start.set(name, as(plan, role(name)));
      const makes = "to" in op ? [op.to] : op.op === "write-journal" || op.op === "write-receipt" ? [op.file] : op.op === "build-sql" || op.op === "build-host" ? [op.staging] : [];
      makes.forEach((name) => made.add(name));
    }
    if (plan.kind !== "migrate" && plan.kind !== "restore" && plan.journal) {
      const { names } = plan.journal;
      start.set(names.canonical, start.get(names.canonical) ?? as(plan, "canonical"));
      start.set(journalOf(plan), as(plan, "journal"));
    }
  }
  // Companions lie in directories of their own.
  for (const companion of plan.journal?.companions ?? []) if (companion.before !== null) start.set(`${companion.name}/${companion.file}`, "companion");
  return start;
}

const journalOf = ({ journal }: Plan) => (journal ? `${journal.names.canonical}.${journal.label}-cutover.json` : "");

function as({ kind, journal }: Plan, role: string): string {
  if (role === "canonical") return kind === "migrate" ? "v1" : FOUND;
  if (role === "journal" && journal) return `journal: ${journal.phase}`;
  if (role === "receipt") return "receipt";
  if (role === "log") return "log";
  return FOUND;
}

/** What a name is for, in a word. */
export function roleOf({ journal }: Plan, name: string): string {
  if (!journal) return "file";
  const { names } = journal;
  for (const role of ["canonical", "staging", "source", "install", "backup"] as const) {
    if (names[role] === name) return role;
    if (["-wal", "-shm", "-journal"].some((suffix) => names[role] + suffix === name)) return "log";
  }
  if (name.includes("/")) return "companion";
  if (name.includes(`.${journal.label}-cutover.json`)) return name.endsWith(".json") ? "journal" : "new journal";
  if (name.endsWith("-migration.json")) return "journal";
  if (name.startsWith(`${names.canonical}.`) && name.endsWith(".json")) return "receipt";
  if (name.includes(".displaced-")) return "displaced";
  return "file";
}

function rank(plan: Plan, name: string): number {
  const order = ["canonical", "log", "staging", "source", "install", "backup", "receipt", "journal", "new journal"];
  const at = order.indexOf(roleOf(plan, name));
  return at < 0 ? order.length : at;
}

/** One sentence for an op. */
export function tell(op: Op): string {
  switch (op.op) {
    case "write-journal":
      return `Write ${op.file}: ${op.phase}`;
    case "link":
      return `Give ${op.from} a second name, ${op.to}`;
    case "rename":
    case "rename-new":
      return `Rename ${op.from} to ${op.to}`;
    case "copy":
    case "restage":
    case "isolate":
    case "page-copy":
      return `Copy ${op.from} to ${op.to}`;
    case "remove":
      return `Remove ${op.files.join(", ")}`;
    case "absent":
      return `Read back that there is no ${op.files.join(", ")}`;
    case "sync-dir":
      return op.companion === null ? "Flush the directory" : `Flush the directory of ${op.companion}`;
    case "sync-file":
      return `Flush ${op.file}`;
    case "remove-link":
      return `Remove ${op.link}, a second name of ${op.of}`;
    case "build-sql":
      return `Build ${op.staging} from ${op.v1}`;
    case "build-host":
      return `Let the application build ${op.staging}`;
    case "look-companion":
      return `Compare the companion ${op.file}`;
    default:
      return "file" in op ? `${words[op.op]} ${op.file}` : words[op.op];
  }
}

const words: Record<Exclude<Op["op"], "write-journal" | "link" | "rename" | "rename-new" | "copy" | "restage" | "isolate" | "page-copy" | "remove" | "absent" | "sync-dir" | "sync-file" | "remove-link" | "build-sql" | "build-host" | "look-companion">, string> = {
  "write-receipt": "Write the receipt",
  look: "Look who has it open:",
  release: "Ask the application to let go of its handles",
  settle: "Make one file of",
  "restore-mode": "Give back its journal mode to",
  check: "Check",
  detect: "Ask detect of",
  "verify-host": "Let the application look at",
  "lock-v1": "Lock",
  "check-v1": "Compare with its fingerprint",
  "unlock-v1": "Let go of the lock",
  "undo-host": "Let the application undo what it did outside",
  "cleanup-host": "Let the application clean up outside",
};
